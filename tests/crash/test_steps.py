"""Killed at each step of the work, one by one: nothing is lost, doubled or shown half, and the next life goes on."""
import contextlib
import os
import random
import threading
from pathlib import Path

import pytest

import shim as shim_module
from crash import wav
from harness import BUILD_DIR, abort_connection, ended, is_mounted, run, spawn, wait_for
from users import ROOT, device, mount_by_user, place  # noqa: F401

BEFORE, AFTER = shim_module.KILL_BEFORE, shim_module.KILL_AFTER
MOMENTS = pytest.mark.parametrize("moment", [BEFORE, AFTER], ids=["before", "after"])
NEEDS_ROOT = pytest.mark.skipif(not ROOT, reason="needs root, or FUSE's control files")
SYNC = "sync this voiceover to the speaker"


def noise(size, seed=1):
    return wav(random.Random(seed), size)


class Killed:
    """Inside, the program is about to be killed by the shim; at the end it has been, and is there again."""

    def __init__(self, mount, shim):
        self.mount, self.shim = mount, shim

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind and not issubclass(kind, OSError):
            return False
        wait_for("the kill", lambda: not self.mount.program.running())
        self.mount.crash()
        self.shim.rest()
        self.mount.start()
        assert "cannot be read" not in self.mount.program.words()
        return True


@pytest.fixture
def killed(mount, shim):
    return Killed(mount, shim)


@pytest.fixture
def filmed(mount, session, media):
    session.wait_status("idle")
    for name in ("clip.mp4", "voice.wav"):
        assert run(["cp", media / name, session.inputs]).returncode == 0
    return session


def background(call):
    """A caller that may be left hanging by the kill: told of it, whatever it was told."""
    def quiet():
        with contextlib.suppress(OSError):
            call()
    thread = threading.Thread(target=quiet)
    thread.start()
    return thread


def kill_now(mount):
    mount.program.process.kill()


def whole_or_gone(backend, session, name, *contents):
    """What is shown under this name is one of these, and at the backend."""
    session.wait_status("idle", "ready", "failed", timeout=30)
    if name not in os.listdir(session.inputs):
        return None in contents
    content = (session.inputs / name).read_bytes()
    here = [backend.content(f) for f in backend.files()]
    return content in contents and (content in here or name in session.status().get("upload", ""))


# ---- files ----

@MOMENTS
@pytest.mark.parametrize("step", ["CREATE", "WRITE", "SYNC", "RENAME", "SEND"])
@pytest.mark.parametrize("old", [None, noise(700, 9)], ids=["new", "replaced"])
def test_an_input(backend, mount, session, shim, killed, step, moment, old):
    """In the midst of its creation, its bytes, its upload, its record."""
    session.wait_status("idle")
    if old:
        (session.inputs / "a.wav").write_bytes(old)
    (session.inputs / "other.wav").write_bytes(noise(500, 3))
    with killed:
        shim.hit(getattr(shim_module, step), moment)
        (session.inputs / "a.wav").write_bytes(noise(300_000))
    assert (session.inputs / "other.wav").read_bytes() == noise(500, 3)
    assert whole_or_gone(backend, session, "a.wav", old, noise(300_000))


@pytest.mark.parametrize("old", [None, noise(700, 9)], ids=["new", "replaced"])
def test_an_upload_under_way(backend, mount, session, killed, old):
    session.wait_status("idle")
    if old:
        (session.inputs / "a.wav").write_bytes(old)
    backend.fault("upload", stall="request", stall_after=100_000)
    with killed:
        writer = background(lambda: (session.inputs / "a.wav").write_bytes(noise(400_000)))
        wait_for("the upload", lambda: backend.held("upload"))
        kill_now(mount)
    writer.join()
    backend.no_faults()
    assert whole_or_gone(backend, session, "a.wav", old, noise(400_000))


@MOMENTS
@pytest.mark.parametrize("step", ["SYNC", "CREATE", "WRITE", "RENAME"])
def test_between_the_answer_to_an_upload_and_its_record(backend, mount, session, shim, killed, step, moment):
    """The backend has it, and close() had not returned: shown if it is shown whole."""
    session.wait_status("idle")
    backend.fault("upload", delay_ms=300_000)
    with killed:
        writer = background(lambda: (session.inputs / "a.wav").write_bytes(noise(4000)))
        wait_for("the upload", lambda: backend.held("upload"))
        wait_for("the disk to rest", lambda: "uploading" in session.text("status.txt"))
        shim.hit(getattr(shim_module, step), moment)
        backend.no_faults()
    writer.join()
    assert whole_or_gone(backend, session, "a.wav", None, noise(4000))


# ---- messages ----

@MOMENTS
@pytest.mark.parametrize("step", ["RENAME", "SEND"])
def test_a_message_on_its_way(backend, filmed, shim, killed, step, moment):
    """Recorded or not, sent or not: at most once, and whoever looks afterwards is told."""
    with killed:
        with open(filmed.instruct, "w") as file:
            file.write(SYNC)
            file.flush()
            shim.hit(getattr(shim_module, step), moment)
    filmed.wait_status("idle", "ready", "failed", timeout=40)
    assert backend.messages() in ([], [SYNC])
    if backend.messages():
        filmed.wait_status("ready")


@pytest.mark.parametrize("rule", [{"hold": True, "edit": True}, {"hold": True, "edit": False}],
                         ids=["carried out", "not carried out"])
def test_a_message_that_the_backend_has(backend, mount, filmed, killed, rule):
    backend.fault("message", **rule)
    with killed:
        writer = background(lambda: filmed.say(SYNC))
        wait_for("the message", lambda: backend.held("message"))
        kill_now(mount)
    writer.join()
    backend.no_faults()
    filmed.wait_status("idle", "ready", "failed", timeout=40)
    assert backend.messages() == [SYNC]
    assert filmed.reply()


def test_mid_stream(backend, mount, filmed, killed):
    backend.answer("One. ", endless=True)
    with killed:
        filmed.say(SYNC)
        wait_for("the first words", lambda: filmed.status()[""] == "working")
        kill_now(mount)
    backend.no_faults()
    filmed.wait_status("idle", "ready", "failed", timeout=40)
    assert backend.messages() == [SYNC]


# ---- renders ----

def finished(backend, session):
    session.wait_status("ready", timeout=40)
    assert session.output.read_bytes() == backend.rendered(session)
    assert backend.messages() == [SYNC]


@MOMENTS
@pytest.mark.parametrize("step", ["RENAME", "SEND", "CREATE"])
def test_a_render_on_its_way(backend, filmed, shim, killed, step, moment):
    """Submitted or not yet: one of them, finished by the next life."""
    backend.fault("render", delay_ms=300_000)
    with killed:
        filmed.say(SYNC)
        wait_for("the render", lambda: backend.held("render"))
        shim.hit(getattr(shim_module, step), moment)
        backend.no_faults()
    finished(backend, filmed)
    assert len(backend.requests("render")) <= 2  # the same id again is the same job


def test_a_running_render(backend, mount, filmed, killed):
    backend.fault("render", render_ms=1000)
    with killed:
        filmed.say(SYNC)
        filmed.wait_status("rendering")
        kill_now(mount)
    finished(backend, filmed)
    assert len(backend.requests("render")) == 1


def test_a_download_half_done(backend, mount, filmed, killed):
    for endpoint in ("media", "download"):
        backend.fault(endpoint, rate=2000)
    with killed:
        filmed.say(SYNC)
        filmed.wait_status("downloading")
        wait_for("some of it", lambda: any(f.stat().st_size for f in mount.cache.rglob("*") if f.is_file()))
        assert not filmed.output.exists()
        kill_now(mount)
    assert not filmed.output.exists() or filmed.output.read_bytes() == backend.rendered(filmed)
    backend.no_faults()
    finished(backend, filmed)


@MOMENTS
@pytest.mark.parametrize("step", ["SYNC", "RENAME"])
def test_a_download_that_is_recorded(backend, filmed, shim, killed, step, moment):
    backend.fault("media", delay_ms=300_000)
    with killed:
        filmed.say(SYNC)
        filmed.wait_status("downloading")
        shim.hit(getattr(shim_module, step), moment)
        backend.no_faults()
    finished(backend, filmed)


# ---- the registry ----

@MOMENTS
@pytest.mark.parametrize("step", ["CREATE", "WRITE", "SYNC", "RENAME"])
@pytest.mark.parametrize("what", ["mkdir", "rename", "rmdir"])
def test_the_registry(mount, session, shim, killed, what, step, moment):
    """What changes names: the old one or the new one, and never neither."""
    (session.inputs / "a.wav").write_bytes(noise(500))
    point = mount.point
    calls = {"mkdir": lambda: os.mkdir(point / "new"), "rename": lambda: os.rename(session.path, point / "new"),
             "rmdir": lambda: os.rmdir(session.path)}
    done = False
    with killed:
        shim.hit(getattr(shim_module, step), moment)
        calls[what]()
        done = True
    names = set(os.listdir(point)) - {"README.txt", "credits"}
    allowed = {"mkdir": [{"s"}, {"s", "new"}], "rename": [{"s"}, {"new"}], "rmdir": [{"s"}, set()]}[what]
    assert names == allowed[1] if done else names in allowed
    kept = list(mount.state.glob("*/*/session.json"))  # the forgotten one is in removed/
    assert len([p for p in kept if '"a.wav"' in p.read_text()]) == 1
    for name in names - ({"new"} if what == "mkdir" else set()):
        assert (point / name / "inputs/a.wav").read_bytes() == noise(500)


# ---- onlookers ----

class Watched:
    """A mount that is killed while a `mkdir` waits for it, and perhaps its watch thread for that one."""

    def __init__(self, program, point, user=()):
        self.program, self.point, self.user = program, point, user

    def kill(self, shim, after, directory):
        device = int(run([*self.user, "stat", "-c", "%d", self.point]).stdout)
        with ended(spawn([*self.user, "inotifywait", "-m", self.point])) as watcher:
            assert b"Setting up" in watcher.stderr.readline() and b"established" in watcher.stderr.readline()
            shim.hit(shim_module.SYNC, BEFORE, after=after)
            with ended(spawn([*self.user, "mkdir", self.point / "new"])) as caller:
                try:
                    wait_for("an end of both", lambda: not self.program.running() and caller.poll() is not None)
                except AssertionError:
                    abort_connection(device, directory)
                    raise


# By then some of them are in the way of each other.
AFTER_SYNCS = pytest.mark.parametrize("after", [2, 3, 4])


@NEEDS_ROOT
@AFTER_SYNCS
def test_a_kill_while_somebody_watches(mount, shim, tmp_path, after):
    """Who tells onlookers may be waiting inside our own mount for a caller who waits for us: both end all the same."""
    Watched(mount.program, mount.point).kill(shim, after, tmp_path)
    mount.crash()
    shim.rest()
    mount.start()
    wait_for("the mount", lambda: "README.txt" in os.listdir(mount.point))


CONTROL = Path("/sys/fs/fuse/connections")


@pytest.fixture
def control_files():
    """Of FUSE; where systemd runs they are there."""
    mounted = not is_mounted(CONTROL)
    if mounted and run(["mount", "-t", "fusectl", "none", CONTROL]).returncode:
        pytest.skip("may not mount FUSE's control files")
    yield
    if mounted:
        run(["umount", "-l", CONTROL])


@NEEDS_ROOT
@AFTER_SYNCS
@pytest.mark.usefixtures("control_files", "device")
def test_a_kill_while_its_ordinary_user_watches(backend, place, tmp_path, after):
    """The same, of a mount whose lookout may not use force."""
    shim = shim_module.Shim(BUILD_DIR / "tests/crash/shim.so", place / "shim.control")
    os.chmod(place / "shim.control", 0o666)
    mount = mount_by_user(place, backend.url, **shim.environment).mount
    try:
        Watched(mount.program, mount.point, mount.user).kill(shim, after, tmp_path)
    finally:
        mount.destroy()
