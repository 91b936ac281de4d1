"""Everything that waits ends at a signal that ends processes, and at no other.

The calls are made by the C library itself: Python would make them again after EINTR, and nobody would see it.
"""
import errno
import os
import signal
import time

import pytest

from harness import PATIENCE, ended, in_kernel_wait, spawn, wait_for

AT_ONCE_S = 0.1 * PATIENCE

# What a process does, and the endpoint whose answer it then waits for. Each catches SIGUSR1.
WAITS = {
    "close of an upload": ("upload", 'f = os.open(d + "/inputs/x.mp3", os.O_WRONLY | os.O_CREAT); os.write(f, b"sound" * 1000); go(); call("close", f)'),
    "open of instruct": ("credits", 'go(); call("open", d + "/instruct", os.O_WRONLY)'),
    "open of instruct, behind another": (None, 'go(); call("open", d + "/instruct", os.O_WRONLY)'),
    "close of instruct": ("message", 'f = os.open(d + "/instruct", os.O_WRONLY); os.write(f, b"softer"); go(); call("close", f)'),
    "read of reply.txt": (None, 'f = os.open(d + "/reply.txt", os.O_RDONLY); go()\nwhile call("read", f, ctypes.create_string_buffer(65536), 65536): pass'),
    "open of state.json": ("state", 'go(); call("open", d + "/state.json", os.O_RDONLY)'),
    "open of timeline.txt": ("state", 'go(); call("open", d + "/timeline.txt", os.O_RDONLY)'),
    "open of credits": ("credits", 'go(); call("open", d + "/credits", os.O_RDONLY)'),
    "open of an input that the cache has dropped": ("media", 'go(); call("open", d + "/inputs/0.mp3", os.O_RDONLY)'),
}
PRELUDE = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    arguments = [a.encode() if isinstance(a, str) else a for a in arguments]
    result = getattr(libc, name)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result
d = sys.argv[1]
caught = 0
def catch(*_):
    global caught
    caught += 1
for s in (signal.SIGUSR1, signal.SIGURG, signal.SIGALRM):
    signal.signal(s, catch)
signal.signal(signal.SIGINT, signal.SIG_DFL)
def go():
    print("go", flush=True)
try:
"""
CODA = """
except OSError as e:
    print("error", e.errno, flush=True)
else:
    print("done", caught, flush=True)
"""


pytestmark = pytest.mark.mount(cache_size="1M")


@pytest.fixture(params=WAITS, ids=list(WAITS))
def waiter(request, backend, session):
    """A process that waits."""
    endpoint, action = WAITS[request.param]
    session.wait_status("idle")
    if endpoint == "media":
        for number in range(4):
            (session.inputs / f"{number}.mp3").write_bytes(b"sound" * 100_000)
    # Queries within a second share an answer, and this one is to wait for its own.
    wait_for("a second without queries", lambda: backend.quiet(1.2))
    if endpoint is None:
        session.say("make it softer")
    else:
        backend.fault(endpoint, hold=True)
    body = "".join(f"    {line}\n" for line in action.split("\n"))
    process = spawn(["/usr/bin/python3", "-c", PRELUDE + body + CODA, session.path])
    with ended(process):
        assert process.stdout.readline() == b"go\n"
        wait_for("it to wait", lambda: in_kernel_wait(process.pid))
        process.what = request.param
        yield process


BUSY = pytest.mark.usefixtures("busy")


@BUSY
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL])
def test_it_ends(waiter, how):
    begin = time.monotonic()
    waiter.send_signal(how)
    waiter.wait(10)
    assert time.monotonic() - begin < AT_ONCE_S
    assert waiter.returncode == -how


def finishes(backend, waiter):
    """It waits on; and once it has its answer, the call says so, whatever signals came."""
    wait_for("it to wait on", lambda: in_kernel_wait(waiter.pid) or waiter.poll() is not None)
    assert waiter.poll() is None, waiter.stdout.read()
    backend.no_faults()
    line = waiter.stdout.readline().split()
    # Queries have a time limit.
    assert line[0] == b"done" or line == [b"error", b"%d" % errno.ETIMEDOUT], line
    if line[0] == b"done":
        assert int(line[1]) >= 1


@BUSY
def test_others_change_nothing(backend, waiter):
    """A hundred signals that it catches, ignores, or never sees."""
    for _ in range(100):
        for how in (signal.SIGUSR1, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH):
            waiter.send_signal(how)
    finishes(backend, waiter)


@BUSY
def test_a_hundred_a_second(backend, waiter):
    """Programs in Go get as many SIGURG of their own runtime; others have an interval timer."""
    end = time.monotonic() + 1
    while time.monotonic() < end:
        waiter.send_signal(signal.SIGURG)
        waiter.send_signal(signal.SIGALRM)
        time.sleep(0.01)
    finishes(backend, waiter)


@BUSY
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_after_others(waiter, how):
    """The kernel sends one interrupt a request: the one of the first signal. The second counts too."""
    waiter.send_signal(signal.SIGUSR1)
    wait_for("it to wait on", lambda: in_kernel_wait(waiter.pid) or waiter.poll() is not None)
    assert waiter.poll() is None, waiter.stdout.read()
    begin = time.monotonic()
    waiter.send_signal(how)
    waiter.wait(10)
    assert time.monotonic() - begin < AT_ONCE_S


@BUSY
def test_interrupted_close_of_a_handler(backend, session, media):
    """SIGINT caught (as dd does): close() ends with EINTR, and nothing is uploaded."""
    backend.fault("upload", hold=True)
    process = spawn(["/usr/bin/python3", "-c", PRELUDE + """
    signal.signal(signal.SIGINT, catch)
    f = os.open(d + "/inputs/x.mp3", os.O_WRONLY | os.O_CREAT)
    os.write(f, b"sound" * 1000); go()
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.close(f) < 0:
        raise OSError(ctypes.get_errno(), "close")
""" + CODA, session.path])
    with ended(process):
        assert process.stdout.readline() == b"go\n"
        wait_for("the upload", lambda: backend.held("upload") and in_kernel_wait(process.pid))
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline().split() == [b"error", b"4"]
    wait_for("the file to go", lambda: os.listdir(session.inputs) == [])
    wait_for("the upload to stop", lambda: backend.held("upload") == 0)


@BUSY
def test_an_interrupted_reader_leaves_the_others(session):
    session.say("make it softer")
    readers = [spawn(["cat", session / "reply.txt"]) for _ in range(5)]
    try:
        for reader in readers:
            wait_for("it to wait", lambda: in_kernel_wait(reader.pid))
        readers[0].send_signal(signal.SIGINT)
        assert readers[0].wait(5) == -signal.SIGINT
        assert all(in_kernel_wait(r.pid) for r in readers[1:])
        assert session.status()[""] == "working"
    finally:
        for reader in readers:
            with ended(reader):
                pass
