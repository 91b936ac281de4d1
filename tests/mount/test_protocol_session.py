"""1002, from every kind of call: a new session, the kept inputs again, the call once more, and the user is told."""
import errno
import os
import shutil
import threading

import pytest

from harness import wait_for
from protocol import at_rest, close_with, connected, fails, filmed, opened, put, say

pytestmark = pytest.mark.mount(render="manual")

TOLD = "The backend no longer knew this session. A new one was made, and 2 inputs are being uploaded again."


@pytest.fixture
def lost(backend, session, media, web):
    """A session with a file and a URL, which the backend has forgotten."""
    shutil.copyfile(media / "clip.mp4", session.inputs / "clip.mp4")
    os.symlink(f"{web}/voice.mp3", session.inputs / "voice.mp3")
    wait_for("both", lambda: len(backend.files()) == 2)
    at_rest(backend, session)
    backend.call("/_local/sessions/forget", {"session_id": backend.session_id("s")})
    return session


def renewed(backend, session, inputs=("clip.mp4", "voice.mp3")):
    """There is one new session, under the same directory, and it has them all."""
    wait_for("the inputs", lambda: session.status()[""] != "uploading")
    assert len(backend.requests("session")) == 2
    new = backend.sessions()[-1]
    assert new["name"] == "s"
    files = sorted(f["name"] for f in backend.files() if f["session"] == new["session_id"])
    assert files == sorted(inputs)
    assert TOLD in session.history()
    assert session.history().count("note: The backend no longer knew") == 1
    return new


def test_message(backend, lost):
    """The open of instruct finds it out, and the message goes to the new one."""
    say(lost, 'add the title "One"')
    reply = lost.reply()
    renewed(backend, lost)
    assert "One" in lost.text("timeline.txt"), reply
    assert backend.messages() == ['add the title "One"']


def test_refused_message(backend, session, media, web):
    """1002 comes as the answer to the message itself."""
    shutil.copyfile(media / "clip.mp4", session.inputs / "clip.mp4")
    os.symlink(f"{web}/voice.mp3", session.inputs / "voice.mp3")
    wait_for("both", lambda: len(backend.files()) == 2)
    at_rest(backend, session)
    fd = opened(session)
    backend.call("/_local/sessions/forget", {"session_id": backend.session_id("s")})
    close_with(fd, 'add the title "One"')
    reply = session.reply()
    assert TOLD in reply and "One" in session.text("timeline.txt")
    renewed(backend, session)
    statuses = [r["status"] for r in backend.requests("message")]
    assert statuses == [404, 200]
    # The inputs are there before the message is sent again.
    assert max(r["end_ms"] for r in backend.requests("upload")) <= backend.requests("message")[1]["time_ms"]


def test_open_of_instruct(backend, lost):
    """Nothing is written, but the open has found it out."""
    os.close(opened(lost))
    renewed(backend, lost)
    assert backend.requests("message") == []


def test_upload(backend, lost, media):
    put(lost.inputs / "new.mp4", media / "clip.mp4")
    wait_for("the others", lambda: len(backend.requests("session")) == 2 and lost.status()[""] != "uploading")
    new = backend.sessions()[-1]
    files = [f["name"] for f in backend.files() if f["session"] == new["session_id"]]
    assert sorted(files) == ["clip.mp4", "new.mp4", "voice.mp3"]
    assert "A new one was made" in lost.history()


@pytest.mark.parametrize("name", ["state.json", "timeline.txt"])
def test_query(backend, lost, name):
    assert lost.text(name)
    renewed(backend, lost)


@pytest.mark.parametrize("words", ["status", "导出视频"])
def test_free_commands(backend, lost, words):
    say(lost, words)
    assert lost.reply().strip()
    renewed(backend, lost)
    assert backend.messages() == []


def test_url_upload_command(backend, lost, web):
    say(lost, f"upload {web}/clip.mp4")
    lost.reply()
    new = backend.sessions()[-1]
    wait_for("all", lambda: len([f for f in backend.files() if f["session"] == new["session_id"]]) == 3)
    assert len(backend.requests("session")) == 2


@pytest.mark.parametrize("call", ["render", "poll"])
def test_export(backend, session, media, call):
    """At the submission or a poll: once more, in a new session, when that has what the draft is made of."""
    filmed(session, media)
    say(session, 'add the title "One"')
    session.reply()
    old = backend.session_id("s")
    at_rest(backend, session)
    backend.fault(call, code=1002, times=1)
    backend.fault("upload", delay_ms=700, times=2)
    say(session, "export")
    assert "output.mp4 is ready" in session.reply()
    wait_for("the second", lambda: len(backend.requests("render")) == 2)
    assert len([f for f in backend.files() if f["session"] != old]) == 2
    assert max(r["end_ms"] for r in backend.requests("upload")) <= backend.requests("render")[1]["time_ms"]
    assert TOLD in session.history()
    assert len(backend.requests("session")) == 2
    assert session.text("state.json") and session.output.read_bytes() == backend.rendered(session)


@pytest.fixture
def rendering(backend, session, media):
    """A session whose render takes its time."""
    filmed(session, media)
    say(session, 'add the title "One"')
    session.reply()
    at_rest(backend, session)
    backend.fault("render", render_ms=3000, times=1)
    say(session, "export")
    session.wait_status("rendering")
    return session


@pytest.mark.parametrize("how", ["unmount", "crash"])
def test_export_of_an_earlier_life(backend, mount, rendering, how):
    """A render that an earlier life of the program began is no worse off."""
    getattr(mount, how)()
    backend.fault("poll", code=1002, times=1)
    mount.start()
    rendering.wait_status("ready", timeout=30)
    assert len(backend.requests("session")) == len(backend.requests("render")) == 2
    new = backend.sessions()[-1]["session_id"]
    assert sorted(f["name"] for f in backend.files() if f["session"] == new) == ["clip.mp4", "voice.wav"]
    assert max(r["end_ms"] for r in backend.requests("upload")) <= backend.requests("render")[1]["time_ms"]
    assert TOLD in rendering.history()
    assert rendering.text("state.json") and rendering.output.read_bytes() == backend.rendered(rendering)


def test_export_of_an_earlier_life_fails_twice(backend, mount, rendering):
    mount.crash()
    backend.fault("poll", code=1002)
    mount.start()
    rendering.wait_status("failed", timeout=30)
    assert "There is no output.mp4: The backend does not know this session" in rendering.status()["error"]
    assert "does not know this session" in rendering.history() and TOLD in rendering.history()
    assert len(backend.requests("session")) == len(backend.requests("render")) == 2


def test_export_renewed_in_an_earlier_life(backend, mount, rendering):
    """The one new session was made: the next life makes no other."""
    backend.fault("render", render_ms=300_000)
    backend.fault("poll", code=1002, times=1)
    wait_for("the second", lambda: len(backend.requests("render")) == 2)
    mount.crash()
    backend.fault("poll", code=1002)
    mount.start()
    rendering.wait_status("failed", timeout=30)
    assert "There is no output.mp4: The backend does not know this session" in rendering.status()["error"]
    assert len(backend.requests("session")) == len(backend.requests("render")) == 2


@pytest.mark.parametrize("again", [False, True], ids=["same life", "next life"])
def test_a_query_finds_out_while_a_render_runs(backend, mount, rendering, again):
    """The timeline of the new session is empty; no edit did that, and the render goes on."""
    if again:
        mount.remount()
    backend.call("/_local/sessions/forget", {"session_id": backend.session_id("s")})
    # Answers younger than a second are shared.
    wait_for("the loss", lambda: [rendering.text("timeline.txt")] and TOLD in rendering.history())
    rendering.wait_status("ready", timeout=30)
    assert "dropped" not in rendering.history() + rendering.reply()
    assert len(backend.requests("session")) == 2
    assert rendering.output.stat().st_size > 0


def test_many_find_out_together(backend, lost):
    """One new session for all of them."""
    errors = []

    def read(name):
        try:
            lost.text(name)
        except OSError as error:
            errors.append(error)
    threads = [threading.Thread(target=read, args=(n,)) for n in ("state.json", "timeline.txt") * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    renewed(backend, lost)


@pytest.mark.parametrize("rule", [{"code": 1002}, {"status": 404, "message": "Session not found"}], ids=["1002", "404"])
def test_twice_is_reported(backend, session, rule):
    connected(session)
    fd = opened(session)
    backend.fault("message", **rule)
    with fails(errno.EREMOTEIO):
        close_with(fd, "make it softer")
    assert len(backend.requests("session")) == 2 and len(backend.requests("message")) == 2
    assert "does not know this session" in session.status()["error"]
    assert "does not know this session" in session.reply()


def test_twice_is_reported_of_a_query(backend, session):
    """Of a backend that does not know its new sessions either, no more are asked for than there were calls."""
    at_rest(backend, session)
    backend.fault("state", code=1002)
    with fails(errno.EREMOTEIO):
        session.text("state.json")
    assert session.status()[""] == "failed" and "does not know this session" in session.status()["error"]
    with fails(errno.EREMOTEIO):
        opened(session)
    wait_for("a moment without requests", lambda: backend.quiet(1.2))
    assert len(backend.requests("session")) <= 4


@pytest.mark.parametrize("call", ["render", "poll"])
def test_twice_is_reported_of_an_export(backend, session, media, call):
    filmed(session, media)
    say(session, 'add the title "One"')
    session.reply()
    at_rest(backend, session)
    backend.fault(call, code=1002)
    try:
        say(session, "export")
    except OSError as error:
        assert call == "render" and error.errno == errno.EREMOTEIO
    assert "There is no output.mp4: The backend does not know this session" in session.reply()
    assert session.status()[""] == "failed"
    assert len(backend.requests("render")) == 2 and len(backend.requests("session")) == 2


@pytest.mark.mount(lang="zh", render="manual")
def test_told_in_chinese(backend, mount, media):
    session = filmed(mount.session("s"), media)
    at_rest(backend, session)
    backend.call("/_local/sessions/forget", {"session_id": backend.session_id("s")})
    session.text("state.json")
    assert "no longer" not in session.history() and "会话" in session.history()


def test_directory_is_the_same(backend, mount, lost):
    before = os.stat(lost.path).st_ino
    lost.text("state.json")
    assert os.stat(lost.path).st_ino == before
    assert sorted(os.listdir(lost.inputs)) == ["clip.mp4", "voice.mp3"]
    mount.remount()
    lost.text("state.json")
    assert len(backend.requests("session")) == 2
