"""Every table and queue has a bound; at it an errno, and behind it everything works again."""
import errno
import json
import os
import resource
import threading
import time
import uuid
from pathlib import Path

import pytest

from harness import PATIENCE, READ, SANITIZED, Session, error_of, wait_for

SESSIONS_MAX, INPUTS_MAX = 100_000, 10_000


def fill_registry(mount, count):
    """Writes `count` more records like the one that is there, as earlier lives would have left them."""
    path, = (mount.state / "sessions").glob("*/session.json")
    record = json.loads(path.read_text())
    for number in range(count):
        record["name"] = f"take {number}"
        folder = mount.state / "sessions" / str(uuid.UUID(int=number, version=4))
        folder.mkdir(mode=0o700)
        (folder / "session.json").write_text(json.dumps(record))


@pytest.mark.limit(400)
def test_sessions(backend, mount, session):
    session.wait_status("idle")
    mount.unmount()
    fill_registry(mount, SESSIONS_MAX - 2)
    before = len(backend.requests())
    begin = time.monotonic()
    mount.start()
    wait_for("the root", lambda: os.path.isdir(session))
    mounted = time.monotonic()
    assert len(os.listdir(mount.point)) == SESSIONS_MAX - 1 + 2
    listed = time.monotonic()
    for number in range(0, SESSIONS_MAX - 2, 1000):
        assert Session(mount.point / f"take {number}").status()[""] == "idle"
    print(f"{SESSIONS_MAX} sessions: mounted in {mounted - begin:.1f} s, listed in {listed - mounted:.2f} s, "
          f"{mount.program.resident_kb()} kB")
    assert mount.program.resident_kb() < 400_000
    # Nobody asked for any of them.
    assert len(backend.requests()) - before < 10
    os.mkdir(mount.point / "the last")
    assert error_of(lambda: os.mkdir(mount.point / "one more")) == errno.ENOSPC
    assert "one more" not in os.listdir(mount.point)
    os.rmdir(mount.point / "take 7")
    os.mkdir(mount.point / "one more")
    Session(mount.point / "one more").wait_status("idle")


if SANITIZED:
    del test_sessions  # a full registry takes them too long


@pytest.mark.limit(240)
def test_inputs(session):
    def make(number):
        os.close(os.open(session.inputs / f".{number}", os.O_CREAT | os.O_WRONLY))
    for number in range(INPUTS_MAX):
        make(number)
    assert error_of(lambda: make(INPUTS_MAX)) == errno.ENOSPC
    assert error_of(lambda: os.symlink("http://127.0.0.1/x.mp4", session.inputs / "x.mp4")) == errno.ENOSPC
    assert len(os.listdir(session.inputs)) == INPUTS_MAX
    os.unlink(session.inputs / ".5")
    make(INPUTS_MAX)
    assert error_of(lambda: make(5)) == errno.ENOSPC


@pytest.fixture
def many_threads():
    before = threading.stack_size(128 << 10)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    threading.stack_size(before)


@pytest.mark.limit(120)
@pytest.mark.usefixtures("busy", "many_threads")
def test_waiting_readers(backend, mount, session):
    """A thousand at one reply, and everything else answers at once; all get the end."""
    session.say("make it softer")
    texts = [None] * 1000

    def read(number):
        texts[number] = session.text("reply.txt")
    readers = [threading.Thread(target=read, args=(number,)) for number in range(len(texts))]
    for reader in readers:
        reader.start()
    wait_for("all to wait", lambda: threads_in_read() >= len(texts))
    begin = time.monotonic()
    assert session.status()[""] == "working"
    assert set(os.listdir(session)) >= {"reply.txt", "status.txt"}
    assert time.monotonic() - begin < 1 * PATIENCE
    backend.no_faults()
    for reader in readers:
        reader.join(60 * PATIENCE)
    assert texts.count(None) == 0
    assert len(set(texts)) == 1 and texts[0].startswith("One.")


def threads_in_read():
    count = 0
    for task in Path("/proc/self/task").iterdir():
        count += (task / "syscall").read_text().split()[0] == str(READ)
    return count


def cached(mount):
    return sum(path.stat().st_size for path in mount.cache.rglob("*") if path.is_file())


def write(path, content):
    """As one writes who looks at the result of each step."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        for start in range(0, len(content), 100_000):
            os.write(fd, content[start:start + 100_000])
    except OSError:
        error_of(lambda: os.close(fd))  # of what is there of it
        raise
    os.close(fd)


def noise(number, size=400_000):
    """A WAV file, each number another."""
    return b"RIFF" + (size - 8).to_bytes(4, "little") + b"WAVE" + number.to_bytes(2, "little") * ((size - 12) // 2)


@pytest.mark.mount(cache_size="1M")
def test_the_cache_is_bounded(mount, session):
    """What the backend can give back makes room, and comes back byte for byte."""
    for number in range(8):
        write(session.inputs / f"{number}.wav", noise(number))
        assert cached(mount) <= 1_000_000
    for number in range(8):
        assert (session.inputs / f"{number}.wav").read_bytes() == noise(number)
        assert cached(mount) <= 1_000_000
    # What somebody has open stays.
    with open(session.inputs / "0.wav", "rb") as file:
        for number in range(1, 8):
            assert (session.inputs / f"{number}.wav").read_bytes() == noise(number)
        assert file.read() == noise(0)
    mount.remount()
    assert (session.inputs / "0.wav").read_bytes() == noise(0)


@pytest.mark.mount(cache_size="1M")
def test_the_longest_unused_makes_room(backend, mount, session):
    """Of many small inputs as many go as there must, in the order of their use, whatever that of their making."""
    count, size, large = 150, 5_000, 700_000
    for number in range(count):
        write(session.inputs / f"{number}.wav", noise(number, size))
    for number in range(count):
        os.utime(session.inputs / f"{number}.wav", (1_700_000_000 - number, 1_700_000_000))
    write(session.inputs / "large.wav", noise(count, large))
    kept = (1_000_000 - large) // size
    wait_for("what was dropped to go", lambda: cached(mount) <= 1_000_000)
    assert cached(mount) >= large + (kept - 1) * size
    before = len(backend.requests("media"))
    for number in range(kept - 1):
        assert (session.inputs / f"{number}.wav").read_bytes() == noise(number, size)
    assert len(backend.requests("media")) == before
    assert (session.inputs / f"{count - 1}.wav").read_bytes() == noise(count - 1, size)
    assert len(backend.requests("media")) == before + 1


@pytest.mark.mount(cache_size="1M")
def test_the_only_copy_stays(mount, session):
    """Of what never reached the backend nothing is dropped; there is no room for more then."""
    for number in range(2):
        write(session.inputs / f"{number}.wav.part", noise(number))
    assert error_of(lambda: write(session.inputs / "2.wav", noise(2))) == errno.ENOSPC
    for number in range(2):
        assert (session.inputs / f"{number}.wav.part").read_bytes() == noise(number)
    for name in ("0.wav.part", "2.wav"):
        os.unlink(session.inputs / name)
    # They go when the record has forgotten them.
    wait_for("room", lambda: os.statvfs(mount.point).f_bavail * os.statvfs(mount.point).f_bsize >= len(noise(2)))
    write(session.inputs / "2.wav", noise(2))
    assert (session.inputs / "1.wav.part").read_bytes() == noise(1)
    assert (session.inputs / "2.wav").read_bytes() == noise(2)
