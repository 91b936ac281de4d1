"""An input that is not finished yet is a file like any other: random operations against a plain one."""
import errno
import mmap
import os
import random

import pytest

from harness import SANITIZED, run

OPERATIONS = int(os.environ.get("FILE_OPERATIONS", 3000 if SANITIZED else 20000))
LARGEST = 1 << 20


class Pair:
    """The same file on the mount and elsewhere; everything is done to both and compared."""

    def __init__(self, *paths):
        self.paths = list(paths)
        self.files = []
        self.open()

    def open(self):
        self.files = [os.open(p, os.O_RDWR | os.O_CREAT) for p in self.paths]

    def close(self):
        for file in self.files:
            os.close(file)

    def reopen(self, rng):
        self.close()
        self.open()

    def write(self, rng):
        at, data = rng.randrange(LARGEST), rng.randbytes(rng.choice((1, 100, 4096, 70_000)))
        for file in self.files:
            assert os.pwrite(file, data, at) == len(data)

    def append(self, rng):
        data = rng.randbytes(rng.randrange(5000))
        for path in self.paths:
            with open(path, "ab") as file:
                file.write(data)

    def truncate(self, rng):
        size = rng.randrange(LARGEST)
        for file in self.files:
            os.ftruncate(file, size)

    def truncate_path(self, rng):
        size = rng.randrange(LARGEST)
        for path in self.paths:
            os.truncate(path, size)

    def read(self, rng):
        at, size = rng.randrange(LARGEST), rng.choice((1, 4096, 131_072))
        mine, plain = (os.pread(f, size, at) for f in self.files)
        assert mine == plain, (at, size)

    def size(self, rng):
        mine, plain = (os.fstat(f).st_size for f in self.files)
        assert mine == plain

    def map_read(self, rng):
        self.mapped(rng, lambda m, at, data: m[at:at + len(data)])

    def map_write(self, rng):
        def write(mapped, at, data):
            mapped[at:at + len(data)] = data
        self.mapped(rng, write)

    def mapped(self, rng, action):
        size = os.fstat(self.files[1]).st_size
        if size < 2:
            return
        at = rng.randrange(size - 1)
        data = rng.randbytes(min(rng.randrange(1, 20_000), size - at))
        results = []
        for file in self.files:
            with mmap.mmap(file, size) as mapped:
                results.append(action(mapped, at, data))
        assert results[0] == results[1]

    def allocate(self, rng):
        at, size = rng.randrange(LARGEST), rng.randrange(1, 100_000)
        for file in self.files:
            os.posix_fallocate(file, at, size)

    def copy_inside(self, rng):
        """copy_file_range, or what programs do where there is none."""
        begin, to, size = rng.randrange(LARGEST), rng.randrange(LARGEST), rng.choice((1, 4096, 70_000))
        for file in self.files:
            data = os.pread(file, size, begin)
            try:
                done = os.copy_file_range(file, file, size, begin, to)
            except OSError as error:  # of what overlaps, for one
                assert error.errno in (errno.EINVAL, errno.EOPNOTSUPP, errno.EXDEV), error
                done = 0
            os.pwrite(file, data[done:], to + done)

    def vectors(self, rng):
        at, pieces = rng.randrange(LARGEST), [rng.randbytes(rng.randrange(3000)) for _ in range(5)]
        for file in self.files:
            assert os.pwritev(file, pieces, at) == sum(map(len, pieces))

    def rename(self, rng):
        for number, path in enumerate(self.paths):
            self.paths[number] = path.with_name(path.name.rstrip("~") if path.name.endswith("~") else path.name + "~")
            os.rename(path, self.paths[number])

    def sync(self, rng):
        for file in self.files:
            os.fsync(file)

    def whole(self):
        mine, plain = (open(p, "rb").read() for p in self.paths)
        assert mine == plain


@pytest.mark.limit(60 + OPERATIONS // 100)
@pytest.mark.parametrize("seed", [1, 2])
def test_random_operations(backend, session, tmp_path, seed):
    rng = random.Random(seed)
    pair = Pair(session.inputs / ".scratch.mp4", tmp_path / "plain")
    actions = [pair.write] * 6 + [pair.read] * 6 + [
        pair.map_read, pair.map_write, pair.truncate, pair.truncate_path, pair.append, pair.size, pair.sync, pair.reopen,
        pair.allocate, pair.copy_inside, pair.vectors, pair.rename]
    try:
        for number in range(OPERATIONS):
            rng.choice(actions)(rng)
            if number % 1000 == 0:
                pair.whole()
    finally:
        pair.close()
    pair.whole()
    assert backend.requests("upload") == []


ENGINES = ["psync", "sync", "pvsync2", "mmap", "libaio", "io_uring", "splice", "psync --direct=1", "libaio --direct=1 --iodepth=8",
           "io_uring --direct=1 --iodepth=8", "io_uring --fixedbufs=1 --registerfiles=1"]


@pytest.mark.limit(120)
@pytest.mark.parametrize("engine", ENGINES)
def test_fio_verifies(session, engine):
    blocks = "4k-64k --blockalign=4k --bssplit=4k/40:16k/40:64k" if "direct=1" in engine else "1k-64k"
    done = run(["fio", "--name=verify", f"--filename={session.inputs}/.fio.mp4", "--rw=randwrite", "--size=8m",
                *f"--bsrange={blocks}".split(), "--verify=crc32c", "--do_verify=1", *f"--ioengine={engine}".split(),
                "--verify_fatal=1", "--verify_state_save=0", "--randrepeat=1", "--thread"], timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.limit(120)
@pytest.mark.parametrize("engine", ["psync", "libaio", "io_uring", "io_uring --registerfiles=1"])
def test_fio_writes_an_input(backend, session, engine):
    """What it wrote is uploaded once, when it has closed its file."""
    done = run(["fio", "--name=write", f"--filename={session.inputs}/x.mp3", "--rw=write", "--size=3m", "--bs=64k", "--create_on_open=1",
                "--refill_buffers", *f"--ioengine={engine}".split()])
    assert done.returncode == 0, done.stdout + done.stderr
    open(session.instruct, "w").close()
    assert [f["name"] for f in backend.files()] == ["x.mp3"]
    assert backend.content(backend.files()[0]) == (session.inputs / "x.mp3").read_bytes()
    assert os.stat(session.inputs / "x.mp3").st_size == 3 << 20


def test_two_handles_see_each_other(session):
    path = session.inputs / ".scratch.mp4"
    with open(path, "wb", buffering=0) as a, open(path, "r+b", buffering=0) as b:
        a.write(b"hello world")
        assert b.read() == b"hello world"
        b.seek(0)
        b.write(b"J")
        os.ftruncate(a.fileno(), 5)
        assert os.fstat(b.fileno()).st_size == 5
    assert path.read_bytes() == b"Jello"


def test_unlinked_while_open(session):
    path = session.inputs / ".scratch.mp4"
    with open(path, "w+b", buffering=0) as file:
        file.write(b"still here")
        os.unlink(path)
        assert os.listdir(session.inputs) == []
        file.seek(0)
        assert file.read() == b"still here"


def test_renamed_while_open(backend, session, media):
    """The name that it has when it is closed is the one that is uploaded."""
    with open(session.inputs / "x.mp4.part", "wb", buffering=0) as file:
        file.write((media / "clip.mp4").read_bytes())
        os.rename(session.inputs / "x.mp4.part", session.inputs / "x.mp4")
    open(session.instruct, "w").close()
    assert [f["name"] for f in backend.files()] == ["x.mp4"]
    assert backend.content(backend.files()[0]) == (media / "clip.mp4").read_bytes()


def test_o_excl_and_o_trunc(session):
    path = session.inputs / ".scratch.mp4"
    path.write_bytes(b"0123456789")
    with pytest.raises(FileExistsError):
        os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))
    assert os.stat(path).st_size == 0


def test_o_trunc_without_writing(session):
    """Linux truncates then, too."""
    path = session.inputs / ".scratch.mp4"
    path.write_bytes(b"0123456789")
    fd = os.open(path, os.O_RDONLY | os.O_TRUNC)
    assert os.fstat(fd).st_size == 0 and os.read(fd, 10) == b""
    os.close(fd)
    assert os.stat(path).st_size == 0
