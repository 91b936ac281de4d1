"""The one rule of waiting: nothing that waits for the network holds up anything else."""
import errno
import os
import statistics
import time

import pytest

from harness import PATIENCE, ended, in_kernel_wait, run, sh, spawn, wait_for

SOON_S = 1.0 * PATIENCE
READERS = 100


def took(action):
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


@pytest.mark.limit(180)
@pytest.mark.usefixtures("busy")
def test_everything_waits(backend, mount, media, tmp_path):
    """100 MB stalled, a message being worked on, 100 readers: the others answer at once."""
    stalled, working, other = (mount.session(n) for n in ("stalled", "working", "other"))
    for session in (stalled, working, other):
        session.wait_status("idle")
    big = tmp_path / "big.mp4"
    with open(big, "wb") as file:
        file.write((media / "clip.mp4").read_bytes())
        # What is left of 100 MB as one box that players skip.
        rest = 100_000_000 - file.tell()
        file.write(rest.to_bytes(4, "big") + b"free")
        file.truncate(100_000_000)
    backend.fault("upload", path=backend.session_id("stalled"), stall="request", stall_after=1_000_000)
    working.say("make it softer")
    waiting = [spawn(["cp", big, stalled.inputs])]
    waiting += [spawn(["cat", working / "reply.txt"]) for _ in range(READERS)]
    waiting += [spawn(f"echo and then this > {working.instruct}") for _ in range(3)]
    try:
        stalled.wait_status("uploading")
        wait_for("the upload to stall", lambda: backend.held("upload") == 1)
        for process in waiting[1:]:
            wait_for("everyone to wait", lambda: in_kernel_wait(process.pid))
        times = {}
        for number in range(5):
            for what, action in {
                "ls -lR": lambda: sh(f"ls -lR {mount.point}"),
                "cat status.txt": lambda: sh(f"cat {mount.point}/*/status.txt"),
                "mkdir": lambda: os.mkdir(mount.point / f"new {number}"),
                "mv": lambda: os.rename(mount.point / f"new {number}", mount.point / f"newer {number}"),
                "cp elsewhere": lambda: run(["cp", media / "voice.wav", other.inputs / f"{number}.wav"]),
                "rmdir": lambda: os.rmdir(mount.point / f"newer {number}"),
                "credits": lambda: (mount.point / "credits").read_bytes(),
                "state.json": lambda: (other / "state.json").read_bytes(),
                "a writer who gives up": lambda: sh(f"dd if=/dev/zero of={stalled.inputs}/g.mp3.part bs=4k count=4"),
            }.items():
                times.setdefault(what, []).append(took(action))
        for what, seconds in times.items():
            print(f"{what}: median {statistics.median(seconds) * 1000:.1f} ms, longest {max(seconds) * 1000:.1f} ms")
        assert all(process.poll() is None for process in waiting), "somebody did not wait"
        assert max(max(t) for t in times.values()) < SOON_S
        assert len([f for f in backend.files() if f["name"].endswith(".wav")]) == 5
    finally:
        for process in waiting:
            process.kill()
        for process in waiting:
            with ended(process):
                process.wait(20)


def test_a_frozen_backend(backend, mount, session):
    """It takes connections and says nothing: whoever does not ask does not notice."""
    session.wait_status("idle")
    wait_for("a second without queries", lambda: backend.quiet(1.2))
    backend.freeze()
    waiting = [spawn(f"cat {session}/state.json {session}/credits {session}/timeline.txt") for _ in range(20)]
    try:
        assert took(lambda: sh(f"ls -lR {mount.point}; cat {session}/status.txt")) < SOON_S
        assert took(lambda: os.mkdir(mount.point / "new")) < SOON_S
        assert took(lambda: os.rename(mount.point / "new", mount.point / "newer")) < SOON_S
        assert mount.session("third").status()[""] in ("connecting", "failed")
        for process in waiting:
            assert process.wait(15 * PATIENCE) != 0
    finally:
        backend.thaw()
        for process in waiting:
            with ended(process):
                pass


def test_mkdir_is_at_once(backend, mount):
    backend.fault("session", hold=True)
    backend.fault("token", hold=True)
    assert max(took(lambda i=i: os.mkdir(mount.point / f"s{i}")) for i in range(50)) < SOON_S
    assert len(os.listdir(mount.point)) == 52
    backend.no_faults()
    wait_for("all sessions", lambda: len(backend.requests("session")) >= 50, timeout=30)


def test_who_needs_the_session_waits_for_it(backend, mount, media):
    backend.fault("session", hold=True)
    session = mount.session()
    with ended(spawn(["cp", media / "voice.wav", session.inputs])) as writer:
        wait_for("it to wait", lambda: in_kernel_wait(writer.pid))
        backend.no_faults()
        assert writer.wait(20) == 0
    assert [f["name"] for f in backend.files()] == ["voice.wav"]


@pytest.mark.mount(max_upload="1M")
def test_what_failed_before_there_is_a_session_stays_told(backend, mount):
    backend.fault("session", hold=True)
    session = mount.session()
    with pytest.raises(OSError) as error:
        (session.inputs / "a.mp3").write_bytes(bytes(1_500_000))
    assert error.value.errno == errno.EFBIG
    backend.no_faults()
    session.wait_status("failed", "idle")
    assert session.status()[""] == "failed" and "a.mp3" in session.status()["error"]


@pytest.mark.parametrize("remount", [False, True])
def test_a_failed_session_is_over_when_it_is_made(backend, mount, remount):
    backend.fault("session", status=403)
    session = mount.session()
    session.wait_status("failed")
    if remount:
        mount.remount()
        assert session.status()[""] == "failed"
    backend.no_faults()
    assert (session / "timeline.txt").read_text()
    assert session.status()[""] == "idle"


def test_a_failed_session_is_tried_again_by_the_next_use(backend, mount, media):
    backend.fault("session", status=403)
    session = mount.session()
    session.wait_status("failed")
    done = run(["cp", media / "voice.wav", session.inputs])
    assert done.returncode == 1 and "Permission denied" in done.stderr
    backend.no_faults()
    assert run(["cp", media / "voice.wav", session.inputs]).returncode == 0
    assert [f["name"] for f in backend.files()] == ["voice.wav"]
