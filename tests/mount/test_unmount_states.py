"""The mount taken away whatever it is doing: within its bound, exit 0, and the next one goes on with all of it."""
import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from harness import BUILD_DIR, PATIENCE, Mount, ended, in_kernel_wait, is_mounted, run, spawn, wait_for

BOUND_S = 5  # uploads aside, nothing is waited for
DRAIN_S = 10
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
NO_END_MS = 3_600_000


@contextlib.contextmanager
def waiting(*commands):
    """Shell lines that wait on the mount; all have ended in the end."""
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(ended(spawn(command))) for command in commands]
        for process in processes:
            wait_for("it to wait", lambda: in_kernel_wait(process.pid))
        yield processes


class Scene:
    def __init__(self, backend, mount, media):
        self.backend, self.mount, self.media = backend, mount, media
        self.session = mount.session()
        self.kept = {}
        self.render = False

    def put(self, *names):
        self.session.wait_status("idle")
        for name in names:
            assert run(["cp", self.media / name, self.session.inputs]).returncode == 0
            self.kept[name] = (self.media / name).read_bytes()

    def edit(self):
        """Something to render."""
        self.put("clip.mp4", "voice.wav")
        self.session.say("sync this voiceover to the speaker")

    # Each state: a shell line for each caller that waits in it.

    def idle(self):
        self.put("voice.wav")
        return []

    def connecting(self):
        return []

    def uploading_behind(self):
        """In the background, with nobody waiting."""
        self.session.wait_status("idle")
        self.backend.fault("upload", delay_ms=1000)
        partial = self.session.inputs / ".v.wav.part"
        partial.write_bytes((self.media / "voice.wav").read_bytes())
        os.rename(partial, self.session.inputs / "v.wav")
        self.kept["v.wav"] = (self.media / "voice.wav").read_bytes()
        self.session.wait_status("uploading")
        return []

    def sending(self):
        """The backend has the message and says nothing."""
        self.put("voice.wav")
        self.backend.fault("message", hold=True)
        return [f"echo make it softer > {self.session.instruct}"]

    def answering(self):
        self.put("voice.wav")
        self.backend.answer("One. ", endless=True)
        self.session.say("make it softer")
        return [f"cat {self.session}/reply.txt", f"cat {self.session}/reply.txt", f"echo more > {self.session.instruct}"]

    def unread(self):
        self.answering()
        return []

    def recovering(self):
        self.put("clip.mp4", "voice.wav")
        self.backend.fault("message", cut="body", cut_after=5, edit=True)
        self.session.say("sync this voiceover to the speaker")
        self.render = True
        wait_for("the break", lambda: [r for r in self.backend.requests("message") if r["over"]])
        self.backend.no_faults()
        assert self.session.status()[""] == "working"
        return [f"cat {self.session}/reply.txt"]

    def rendering(self):
        self.backend.fault("render", render_ms=NO_END_MS)
        self.edit()
        self.render = True
        self.session.wait_status("rendering")
        return [f"cat {self.session}/reply.txt"]

    def downloading(self):
        self.backend.fault("media", rate=10)
        self.backend.fault("download", rate=10)
        self.edit()
        self.render = True
        self.session.wait_status("downloading")
        return [f"cat {self.session}/reply.txt"]

    def asking(self):
        self.put("voice.wav")
        for endpoint in ("state", "credits"):
            self.backend.fault(endpoint, hold=True)
        return [f"cat {self.session}/state.json", f"cat {self.session}/credits", f"echo hello > {self.session.instruct}"]

    def creating(self):
        self.backend.fault("session", hold=True)
        other = self.mount.session("other")
        return [f"echo hello > {other.instruct}", f"cat {other}/state.json"]

    def check(self):
        """Mounts again: what was durable is there, and what was begun is finished."""
        self.backend.no_faults()
        self.mount.options["retry_wait"] = 0.1
        self.mount.start()
        for name, content in self.kept.items():
            assert (self.session.inputs / name).read_bytes() == content
        self.session.wait_status("idle", "ready", "failed", timeout=40)
        here = [self.backend.content(f) for f in self.backend.files()]
        for name, content in self.kept.items():
            wait_for(f"{name} at the backend", lambda: content in here or content in
                     [self.backend.content(f) for f in self.backend.files()])
        assert len(set(self.backend.messages())) == len(self.backend.messages())
        if self.render:
            self.session.wait_status("ready", timeout=40)
            assert self.session.output.read_bytes() == self.backend.rendered(self.session)
            assert len(self.backend.requests("render")) == 1
        self.session.say("status")
        assert self.session.reply()


STATES = ["idle", "connecting", "uploading_behind", "sending", "answering", "recovering", "rendering", "downloading",
          "asking", "creating"]


@pytest.fixture
def scene(backend, mount, media):
    return Scene(backend, mount, media)


@pytest.mark.mount(retry_wait=600)
@pytest.mark.parametrize("how", SIGNALS, ids=lambda s: s.name)
@pytest.mark.parametrize("state", STATES)
def test_by_signal(scene, state, how):
    with waiting(*getattr(scene, state)()) as callers:
        begin = time.monotonic()
        os.kill(scene.mount.program.pid, how)
        scene.mount.finish()
        assert time.monotonic() - begin < BOUND_S * PATIENCE
        for caller in callers:
            caller.wait(BOUND_S * PATIENCE)
    scene.check()


@pytest.mark.mount(retry_wait=600)
@pytest.mark.parametrize("state", ["idle", "connecting", "uploading_behind", "unread"])
def test_by_fusermount(scene, state):
    assert getattr(scene, state)() == []
    begin = time.monotonic()
    scene.mount.unmount()
    assert time.monotonic() - begin < BOUND_S * PATIENCE
    scene.check()


@pytest.mark.mount(retry_wait=600)
@pytest.mark.parametrize("state", STATES)
def test_by_lazy_unmount(scene, state):
    """Whoever is inside is served until the last of them has gone."""
    mount = scene.mount
    with waiting(*getattr(scene, state)()) as callers:
        assert run(["fusermount3", "-u", "-z", mount.point]).returncode == 0
        assert not is_mounted(mount.point)
        for caller in callers:
            assert mount.program.running()
            os.killpg(caller.pid, signal.SIGTERM)
            caller.wait(BOUND_S * PATIENCE)
    mount.finish()
    scene.check()


def test_a_lazy_unmount_with_files_open(backend, mount, session, media):
    assert run(["cp", media / "voice.wav", session.inputs]).returncode == 0
    whole = (media / "voice.wav").read_bytes()
    with open(session.inputs / "voice.wav", "rb") as reader, open(session.inputs / "b.wav", "wb") as writer:
        assert run(["fusermount3", "-u", "-z", mount.point]).returncode == 0
        assert reader.read() == whole
        # It still has the state directory: another mount is refused.
        done = run([BUILD_DIR / "bin/lipsyncfs", "-f", "-o", f"api={mount.api},state_dir={mount.state}", mount.point],
                   env=mount.env)
        assert done.returncode == 1 and "another mount" in done.stderr and str(mount.state) in done.stderr
        writer.write(whole)
    mount.finish()
    assert sorted(f["name"] for f in backend.files()) == ["b.wav", "voice.wav"]
    mount.start()
    assert (session.inputs / "b.wav").read_bytes() == whole


@pytest.mark.limit(90)
def test_uploads_that_do_not_end_are_reported(backend, mount, session, media):
    """They get their time and no more, whoever asks again; the next mount says what became of them."""
    session.wait_status("idle")
    (session.inputs / ".b.wav.part").write_bytes((media / "voice.wav").read_bytes())
    backend.fault("upload", hold=True)
    os.rename(session.inputs / ".b.wav.part", session.inputs / "b.wav")
    with waiting(f"cp {media}/clip.mp4 {session.inputs}") as (writer,):
        wait_for("both uploads", lambda: backend.held("upload") == 2)
        begin = time.monotonic()
        os.kill(mount.program.pid, signal.SIGTERM)
        while mount.program.running():  # an impatient user
            with contextlib.suppress(ProcessLookupError):
                os.kill(mount.program.pid, signal.SIGTERM)
            time.sleep(0.1)
        assert DRAIN_S - 1 < time.monotonic() - begin < (DRAIN_S + BOUND_S) * PATIENCE
        assert writer.wait(BOUND_S * PATIENCE) != 0
        assert b"clip.mp4" in writer.stderr.read()
    mount.finish()
    backend.no_faults()
    mount.start()
    wait_for("the one that nobody waited for", lambda: "b.wav" in [f["name"] for f in backend.files()])
    assert (session.inputs / "b.wav").read_bytes() == (media / "voice.wav").read_bytes()
    # Its writer was told, so it may be there, marked, or be gone; never shown as uploaded without being so.
    if "clip.mp4" in os.listdir(session.inputs):
        session.wait_status("idle", "failed")
        assert "clip.mp4" in session.status().get("upload", "") or "clip.mp4" in [f["name"] for f in backend.files()]


def test_after_a_kill(mount, session):
    """Nothing of the dead program is in the way of the next: not its lock, not its mount point."""
    session.wait_status("idle")
    for _ in range(3):
        mount.program.kill()
        mount.start()
        wait_for("the mount", lambda: run(["test", "-d", session]).returncode == 0)


def lookout_of(mount):
    """The process beside the program; it outlives a kill."""
    children = Path(f"/proc/{mount.program.pid}/task/{mount.program.pid}/children").read_text().split()
    return next(int(child) for child in children if Path(f"/proc/{child}/comm").read_text() == "lipsync-lookout\n")


CONNECTIONS = "/sys/fs/fuse/connections"


@pytest.fixture
def connections():
    """The kernel's control files, if they are to be had."""
    mounted = not is_mounted(CONNECTIONS) and run(["mount", "-t", "fusectl", "none", CONNECTIONS]).returncode == 0
    yield
    if mounted:
        run(["umount", "-l", CONNECTIONS])


@pytest.mark.usefixtures("connections")
def test_a_kill_ends_no_other_mount(backend, mount, tmp_path):
    """The kernel gives the device number of a mount that is gone to the next one, perhaps before our lookout wakes up."""
    device = os.stat(mount.point).st_dev
    lookout = lookout_of(mount)
    others = []
    os.kill(lookout, signal.SIGSTOP)
    try:
        mount.crash()
        with contextlib.ExitStack() as stack:
            while not others or os.stat(others[-1].point).st_dev != device:
                assert len(others) < 30
                (tmp_path / f"{len(others)}").mkdir()
                others.append(Mount(tmp_path / f"{len(others)}", backend.url))
                stack.callback(others[-1].destroy)
            os.kill(lookout, signal.SIGCONT)
            wait_for("the lookout to end", lambda: not Path(f"/proc/{lookout}").exists())
            for other in others:
                assert "README.txt" in os.listdir(other.point)
                other.unmount()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(lookout, signal.SIGCONT)
