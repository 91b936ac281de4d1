"""The tree: names, modes, what may be made and removed, and that looking at it asks nobody."""
import errno
import os
import shutil
import stat
import time

import pytest

from harness import run, sh, wait_for

SESSION = {"inputs", "instruct", "reply.txt", "status.txt", "timeline.txt", "history.txt", "state.json", "credits"}


def refused(number, call, *arguments):
    with pytest.raises(OSError) as error:
        call(*arguments)
    assert error.value.errno == number, error.value


def settle(backend, session):
    """Until the session exists at the backend and what is asked after that was answered."""
    session.wait_status("idle")
    wait_for("the first queries", lambda: backend.quiet())


def test_root(mount):
    assert set(os.listdir(mount.point)) == {"README.txt", "credits"}
    assert "instruct" in (mount.point / "README.txt").read_text()


def test_session(session):
    assert set(os.listdir(session.path)) == SESSION
    assert os.listdir(session.inputs) == []


@pytest.mark.parametrize("name, mode", [
    (".", 0o40700), ("README.txt", 0o100400), ("credits", 0o100400), ("s", 0o40700), ("s/inputs", 0o40700),
    ("s/instruct", 0o100600), ("s/reply.txt", 0o100400), ("s/status.txt", 0o100400), ("s/timeline.txt", 0o100400),
    ("s/history.txt", 0o100400), ("s/state.json", 0o100400), ("s/credits", 0o100400)])
def test_modes(mount, session, name, mode):
    info = os.lstat(mount.point / name)
    assert oct(info.st_mode) == oct(mode)
    assert (info.st_uid, info.st_gid) == (os.getuid(), os.getgid())


def test_mode_of_an_input(session, media):
    sh(f"cp {media}/voice.wav {session.inputs}")
    assert oct(os.stat(session.inputs / "voice.wav").st_mode) == oct(0o100600)


@pytest.mark.mount(allow_other=True)
def test_modes_with_allow_other(mount, session, media):
    assert sh(f"cp {media}/voice.wav {session.inputs}").returncode == 0
    modes = {name: stat.S_IMODE(os.stat(session / name).st_mode)
             for name in (".", "inputs", "instruct", "inputs/voice.wav", "reply.txt", "state.json")}
    assert modes == {".": 0o755, "inputs": 0o755, "instruct": 0o644, "inputs/voice.wav": 0o644,
                     "reply.txt": 0o444, "state.json": 0o444}


@pytest.mark.parametrize("name", ["interview", "two words", "访谈", "a" * 255, "日" * 85, "-rf", "semi;colon", "a.b.mp4",
                                  "two\nlines", "tab\t", "\x1b[31mred", "c1\x9b"])
def test_session_names(mount, name):
    os.mkdir(mount.point / name)
    assert name in os.listdir(mount.point)
    assert os.stat(mount.point / name).st_nlink >= 2


@pytest.mark.parametrize("name, number", [
    (b".hidden", errno.EACCES), (b".Trash-1000", errno.EACCES), (b"bad\xff", errno.EILSEQ),
    (b"README.txt", errno.EEXIST), (b"credits", errno.EEXIST), (b"a" * 256, errno.ENAMETOOLONG)])
def test_refused_session_names(mount, name, number):
    with pytest.raises(OSError) as error:
        os.mkdir(os.fsencode(mount.point) + b"/" + name)
    assert error.value.errno in (number, errno.EINVAL, errno.EPERM), error.value
    assert set(os.listdir(mount.point)) == {"README.txt", "credits"}


def test_a_session_cannot_be_made_twice(mount, session):
    refused(errno.EEXIST, os.mkdir, session.path)


def test_rename(mount, session):
    number = os.stat(session.path).st_ino
    os.rename(session.path, mount.point / "other")
    assert os.stat(mount.point / "other").st_ino == number
    assert "s" not in os.listdir(mount.point) and "other" in os.listdir(mount.point)
    assert run(["mv", mount.point / "other", mount.point / "third"]).returncode == 0
    refused(errno.ENOENT, os.stat, mount.point / "other")


def test_rename_onto(mount, session):
    mount.session("b")
    with pytest.raises(OSError):
        os.rename(session.path, mount.point / "b")
    with pytest.raises(OSError):
        os.rename(session.path, mount.point / "credits")
    with pytest.raises(OSError):
        os.rename(session.path, mount.point / ".s")
    assert {"s", "b"} <= set(os.listdir(mount.point))


def test_session_name_at_the_backend(backend, mount):
    session = mount.session("take one")
    settle(backend, session)
    assert [s["name"] for s in backend.sessions()] == ["take one"]


def test_rmdir_forgets_a_session(mount, session, media):
    sh(f"cp {media}/voice.wav {session.inputs}")
    os.rmdir(session.path)
    assert "s" not in os.listdir(mount.point)
    wait_for("its record", lambda: len(os.listdir(mount.state / "removed")) == 1)
    os.mkdir(session.path)
    assert os.listdir(session.inputs) == []


def test_rmdir_after_removed_was_removed(mount, session):
    """Its user may tidy up there at any time."""
    session.wait_status("idle")
    mount.session("t").wait_status("idle")
    os.rmdir(session.path)
    shutil.rmtree(mount.state / "removed")
    os.rmdir(mount.point / "t")
    assert len(os.listdir(mount.state / "removed")) == 1
    mount.remount()
    assert not {"s", "t"} & set(os.listdir(mount.point))


def test_rmdir_tells_that_it_failed(mount, session):
    session.wait_status("idle")
    removed = mount.state / "removed"
    os.rmdir(removed)
    removed.write_text("in the way")
    with pytest.raises(NotADirectoryError):
        os.rmdir(session.path)
    assert set(os.listdir(session.path)) == SESSION
    session.say("status")
    assert session.reply()
    os.remove(removed)
    os.rmdir(session.path)
    assert len(os.listdir(removed)) == 1


def test_rm_r_refuses(session):
    done = sh(f"rm -r {session.path}")
    assert done.returncode != 0 and "Operation not permitted" in done.stderr
    assert set(os.listdir(session.path)) == SESSION


@pytest.mark.parametrize("name", sorted(SESSION - {"inputs"}))
def test_control_files_stay(session, name):
    refused(errno.EPERM, os.unlink, session / name)
    with pytest.raises(OSError):
        os.rename(session / name, session / "other")
    assert name in os.listdir(session.path)


def test_directories_that_stay(mount, session):
    refused(errno.EPERM, os.rmdir, session.inputs)
    refused(errno.EPERM, os.mkdir, session.inputs / "more")
    with pytest.raises(OSError) as error:
        os.mkdir(session / "more")
    assert error.value.errno in (errno.EPERM, errno.EACCES)


@pytest.mark.parametrize("name", ["new.txt", "instruct~", ".instruct.swp", "4913", "sedAbCdEf"])
def test_no_other_files(mount, session, name):
    refused(errno.EACCES, os.open, session / name, os.O_CREAT | os.O_WRONLY)
    refused(errno.EACCES, os.open, mount.point / name, os.O_CREAT | os.O_WRONLY)


@pytest.mark.parametrize("name", ["reply.txt", "status.txt", "timeline.txt", "history.txt", "state.json", "credits"])
def test_read_only_files(session, name):
    """Root may open what modes forbid, but there is nothing to write to."""
    with pytest.raises(OSError) as error:
        os.open(session / name, os.O_WRONLY)
    assert error.value.errno in (errno.EACCES, errno.EPERM)


def test_no_xattrs(session):
    refused(errno.ENOTSUP, os.setxattr, session.path, b"user.a", b"b")
    refused(errno.ENOTSUP, os.getxattr, session.path, b"user.a")


def test_no_other_kinds(session):
    with pytest.raises(OSError):
        os.mkfifo(session.inputs / "pipe.mp4")
    with pytest.raises(OSError):
        os.link(session / "reply.txt", session / "hard")
    with pytest.raises(OSError):
        os.symlink("http://127.0.0.1/a.mp4", session / "link")


def test_times_are_real(mount, session):
    now = time.time()
    for name in (".", "inputs", "instruct", "status.txt", "history.txt"):
        assert abs(os.stat(session / name).st_mtime - now) < 30, name


def test_inode_numbers(mount, session):
    names = sorted(SESSION)
    numbers = [os.stat(session / n).st_ino for n in names]
    assert len(set(numbers)) == len(numbers)
    assert [os.stat(session / n).st_ino for n in names] == numbers
    by_listing = {e.name: e.inode() for e in os.scandir(session.path)}
    assert [by_listing[n] for n in names] == numbers


@pytest.mark.parametrize("name", ["README.txt", "credits", "s/status.txt", "s/history.txt", "s/timeline.txt",
                                  "s/state.json", "s/credits", "s/reply.txt"])
def test_sizes_are_true(backend, mount, session, name):
    settle(backend, session)
    for _ in range(2):
        content = (mount.point / name).read_bytes()
        info = os.stat(mount.point / name)
        assert info.st_size == len(content)
        assert info.st_blocks == (len(content) + 511) // 512
    assert run(["cat", mount.point / name]).stdout.encode() == content


def test_instruct_reads_as_empty(session):
    session.say("status")
    assert session.instruct.read_bytes() == b""
    assert os.stat(session.instruct).st_size == 0


def test_looking_asks_nobody(backend, mount, session, media):
    sh(f"cp {media}/voice.wav {session.inputs}")
    for name in ("b", "c"):
        settle(backend, mount.session(name))
    settle(backend, session)
    before = len(backend.requests())
    for _ in range(10):
        assert sh(f"ls -lR {mount.point} && find {mount.point} -type f -exec stat -t {{}} + && du -a {mount.point}"
                  ).returncode == 0
        assert sh(f"cat {session}/status.txt {session}/history.txt {session}/reply.txt {mount.point}/README.txt"
                  f" {session.inputs}/voice.wav | wc -c").returncode == 0
    for name in ("state.json", "timeline.txt", "credits"):
        fd = os.open(session / name, os.O_RDONLY | os.O_NOATIME)
        os.read(fd, 4096)
        os.close(fd)
    assert backend.requests()[before:] == []


def test_statfs(mount, session):
    room = os.statvfs(mount.point)
    assert room.f_bavail * room.f_frsize > 1 << 20
    assert room.f_namemax == 255


def test_many_sessions_are_listed(mount):
    names = {f"take {i:03}" for i in range(200)}
    for name in names:
        os.mkdir(mount.point / name)
    assert set(os.listdir(mount.point)) - {"README.txt", "credits"} == names
    listing = os.scandir(mount.point)
    first = next(listing).name
    os.rmdir(mount.point / "take 100")
    rest = {first} | {e.name for e in listing}
    assert names - {"take 100"} <= rest
    assert "take 100" not in os.listdir(mount.point)
