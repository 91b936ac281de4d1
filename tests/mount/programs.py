"""What the tests of other people's programs share. In their ids stands the program, so that the list of tests
is the table of what works."""
import os
import select
import time

from harness import PATIENCE


def uploads_ended(session):
    """Opening `instruct` waits for the uploads under way, and fails if one did not end well."""
    open(session.instruct, "w").close()


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
        os.environ.update({"TERM": "xterm", "HOME": str(cwd), "COLUMNS": "100", "LINES": "30", **(env or {})})
        os.execvp(argv[0], [str(a) for a in argv])
    shown = b""
    try:
        for wanted, text in keys:
            deadline = time.monotonic() + timeout * PATIENCE
            while wanted not in shown:
                ready, _, _ = select.select([master], [], [], max(0, deadline - time.monotonic()))
                assert ready, f"{argv[0]} did not show {wanted!r}: {shown!r}"
                shown += os.read(master, 65536)
            shown = b""
            os.write(master, text)
        while True:
            try:
                if not os.read(master, 65536):
                    break
            except OSError:
                break
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)
    finally:
        os.close(master)
