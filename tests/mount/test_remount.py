"""What outlives the program: after an orderly end, and after none."""
import errno
import os
import stat

import pytest

from harness import run, sh, wait_for
from protocol import fails


@pytest.fixture
def edited(session, media):
    for name in ("clip.mp4", "voice.wav"):
        assert run(["cp", "-p", media / name, session.inputs]).returncode == 0
    session.say("sync this voiceover to the speaker")
    assert "output.mp4 is ready" in session.reply()
    return session


def everything(session):
    files = {}
    for name in ("inputs/clip.mp4", "inputs/voice.wav", "output.mp4", "reply.txt", "history.txt"):
        info = os.stat(session / name)
        files[name] = ((session / name).read_bytes(), info.st_size, info.st_mtime_ns)
    return files


@pytest.mark.parametrize("how", ["unmount", "crash"])
def test_everything_is_there(backend, mount, edited, how):
    before = everything(edited)
    modified = os.stat(edited.path).st_mtime
    session_id = backend.requests("session")[0]
    getattr(mount, how)()
    mount.start()
    after = everything(edited)
    history, old_history = after.pop("history.txt")[0], before.pop("history.txt")[0]
    assert history.startswith(old_history)
    assert after == before
    assert abs(os.stat(edited.path).st_mtime - modified) < 2
    assert backend.requests("session") == [session_id]
    assert edited.text("timeline.txt").count("\n") >= 3
    edited.wait_status("ready")
    edited.say("trim to 2 s")
    assert "output.mp4 is ready (0:02" in edited.reply()
    assert len(backend.requests("upload")) == 2


def test_the_token_is_kept(backend, mount, session):
    session.wait_status("idle")
    mount.remount()
    mount.session("b")
    wait_for("the second session", lambda: len(backend.requests("session")) == 2)
    assert len(backend.requests("token")) == 1


def test_renames_and_removals_are_kept(mount, session):
    mount.session("b")
    os.rename(session.path, mount.point / "renamed")
    os.rmdir(mount.point / "b")
    mount.remount()
    assert set(os.listdir(mount.point)) == {"README.txt", "credits", "renamed"}


def test_it_works_without_a_backend(backend, mount, edited):
    before = everything(edited)
    mount.unmount()
    backend.stop()
    mount.start()
    assert everything(edited)["inputs/clip.mp4"] == before["inputs/clip.mp4"]
    assert everything(edited)["output.mp4"] == before["output.mp4"]
    assert sh(f"ls -lR {mount.point}").returncode == 0


def test_inputs_come_back_from_the_backend(mount, edited, media):
    """The cache is only a cache."""
    mount.unmount()
    for root, _, files in os.walk(mount.cache):
        for name in files:
            os.unlink(os.path.join(root, name))
    mount.start()
    for name in ("clip.mp4", "voice.wav"):
        assert os.stat(edited.inputs / name).st_size == os.stat(media / name).st_size
        assert (edited.inputs / name).read_bytes() == (media / name).read_bytes()


@pytest.mark.parametrize("rule, number, words", [
    ({"status": 404}, errno.EREMOTEIO, "does not have"), ({"status": 403}, errno.EACCES, "refuses"),
    ({"body": "x"}, errno.EPROTO, "makes no sense"), ({"status": 500}, errno.EREMOTEIO, "HTTP 500")], ids=["404", "403", "another", "500"])
def test_an_input_that_does_not_come_back(backend, mount, edited, rule, number, words):
    """What to do is to copy it in again, unless it may come the next time."""
    mount.unmount()
    for root, _, files in os.walk(mount.cache):
        for name in files:
            os.unlink(os.path.join(root, name))
    mount.start()
    backend.fault("media", **rule)
    with fails(number):
        (edited.inputs / "clip.mp4").read_bytes()
    status = edited.status()
    assert "clip.mp4" in status["error"] and words in status["error"], status
    assert status["hint"] == ("Try again later." if rule.get("status") == 500 else "Copy it in again.")


@pytest.mark.parametrize("how", ["unmount", "crash"])
def test_running_render_goes_on(backend, mount, session, media, how):
    for name in ("clip.mp4", "voice.wav"):
        assert run(["cp", media / name, session.inputs]).returncode == 0
    backend.fault("render", render_ms=3000)
    session.say("sync this voiceover to the speaker")
    session.wait_status("rendering")
    getattr(mount, how)()
    mount.start()
    session.wait_status("ready", timeout=30)
    assert session.output.read_bytes() == backend.rendered(session)
    assert len(backend.requests("render")) == 1


@pytest.mark.backend("--think", "0.5")
def test_a_message_under_way_is_not_sent_again(backend, mount, session, media):
    for name in ("clip.mp4", "voice.wav"):
        assert run(["cp", media / name, session.inputs]).returncode == 0
    session.say("sync this voiceover to the speaker")
    assert session.status()[""] == "working"
    mount.crash()
    mount.start()
    session.wait_status("ready", timeout=40)
    assert backend.messages() == ["sync this voiceover to the speaker"]
    assert session.output.exists()


def test_a_crash_during_an_upload(backend, mount, session, media):
    assert run(["cp", media / "voice.wav", session.inputs]).returncode == 0
    backend.fault("upload", hold=True)
    with open(session.inputs / "clip.mp4", "wb") as file:
        file.write(b"unfinished")
        file.flush()
        mount.crash()
        try:
            file.close()
        except OSError:
            pass
    backend.no_faults()
    mount.start()
    assert (session.inputs / "voice.wav").read_bytes() == (media / "voice.wav").read_bytes()
    assert run(["cp", media / "clip.mp4", session.inputs]).returncode == 0
    assert (session.inputs / "clip.mp4").read_bytes() == (media / "clip.mp4").read_bytes()


def test_a_stale_mount_point(mount, session):
    """Left by a crash; the next start cleans it up itself."""
    session.wait_status("idle")
    mount.program.kill()
    with pytest.raises(OSError):
        os.listdir(mount.point)
    mount.start()

    # The dead mount is listed like a living one, so the directory itself has to answer.
    def answers():
        try:
            return "s" in os.listdir(mount.point)
        except OSError:
            return False
    wait_for("the mount", answers)
    assert mount.program.running()


def test_a_session_is_kept_from_its_first_moment(mount):
    for number in range(5):
        os.mkdir(mount.point / f"s{number}")
        mount.crash()
        mount.start()
        assert f"s{number}" in os.listdir(mount.point)


def test_state_directory_is_private(mount, edited):
    for directory in (mount.state, mount.cache):
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700


def test_one_mount_per_state_directory(mount, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    done = run([mount.program.process.args[3], "-f", "-o", f"api={mount.api},state_dir={mount.state},"
                f"cache_dir={tmp_path}/cache2", other], env=mount.env)
    assert done.returncode == 1
    assert str(mount.state) in done.stderr or "state" in done.stderr
