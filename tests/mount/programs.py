"""What the tests of other people's programs share. In their ids stands the program, so that the list of tests
is the table of what works."""
import contextlib
import fcntl
import os
import select
import signal
import struct
import termios
import time

from harness import PATIENCE, Backend, Mount, wait_for


@contextlib.contextmanager
def lasting(directory):
    """A backend and a mount for all the tests of a module."""
    backend = Backend(directory)
    mount = Mount(directory, backend.url)
    try:
        yield backend, mount
        mount.unmount()
        backend.stop()
    finally:
        mount.destroy()
        backend.program.kill()


def uploads_ended(session):
    """Opening `instruct` waits for the uploads under way, and fails if one did not end well."""
    open(session.instruct, "w").close()


def copying(folder):
    """A copy into it is under way."""
    wait_for("some of the file", lambda: any(path.stat().st_size > 100_000 for path in folder.iterdir()))


def nothing_left(backend, session):
    """After a copy was cancelled."""
    wait_for("the file to go", lambda: os.listdir(session.inputs) == [])
    uploads_ended(session)
    assert backend.requests("upload") == []
    assert "upload" not in session.status()


def uploaded_once(backend, session, name, content):
    uploads_ended(session)
    files = backend.files()
    assert [f["name"] for f in files] == [name]
    assert backend.content(files[0]) == content
    assert (session.inputs / name).read_bytes() == content
    assert len(backend.requests("upload")) == 1


def type_into(argv, keys, cwd, env=None, timeout=10):
    """Runs a full-screen program on a terminal of its own, and types: each text once what it is for was shown.
    Returns the exit status."""
    pid, master = os.forkpty()
    if pid == 0:
        os.chdir(cwd)
        # Wide enough for any path: some editors ask for a key when their status line is longer than the screen.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 30, 400, 0, 0))
        os.environ.update({"TERM": "xterm", "HOME": str(cwd), "COLUMNS": "400", "LINES": "30", **(env or {})})
        os.execvp(argv[0], [str(a) for a in argv])
    shown = b""

    def read(deadline, what):
        ready, _, _ = select.select([master], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"{argv[0]} did not {what}: {shown!r}"
        return os.read(master, 65536)

    try:
        for wanted, text in keys:
            deadline = time.monotonic() + timeout * PATIENCE
            while wanted not in shown:
                shown += read(deadline, f"show {wanted!r}")
            shown = b""
            os.write(master, text)
        deadline = time.monotonic() + timeout * PATIENCE
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := read(deadline, "end"):
                shown += piece
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)
    except AssertionError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        os.close(master)
