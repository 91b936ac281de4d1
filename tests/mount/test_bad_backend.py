"""A backend that dies, stalls or crawls: nothing lost, nothing doubled, an errno of the table, and on it goes."""
import errno
import os
import threading
import time

import pytest

from harness import PATIENCE, ended, error_of, in_kernel_wait, run, spawn, wait_for

SYNC = "sync this voiceover to the speaker"
ENDS = ("idle", "ready", "failed")


def die_and_come_back(backend):
    """As the power went; at the same address, with what it had on disk."""
    backend.program.kill()
    backend.start()


@pytest.fixture
def filmed(session, media):
    session.wait_status("idle")
    for name in ("clip.mp4", "voice.wav"):
        assert run(["cp", media / name, session.inputs]).returncode == 0
    return session


def test_a_restart_in_an_upload(backend, session, media):
    session.wait_status("idle")
    backend.fault("upload", stall="request", stall_after=10_000)
    with ended(spawn(["cp", media / "clip.mp4", session.inputs])) as writer:
        wait_for("the upload", lambda: backend.held("upload"))
        die_and_come_back(backend)
        assert writer.wait(40 * PATIENCE) == 0
    assert [backend.content(f) for f in backend.files()] == [(media / "clip.mp4").read_bytes()]


def test_a_restart_in_a_message(backend, filmed):
    backend.answer("One. ", endless=True)
    filmed.say(SYNC)
    filmed.wait_status("working")
    assert backend.messages() == [SYNC]
    die_and_come_back(backend)
    filmed.wait_status(*ENDS, timeout=40)
    assert backend.messages() == []  # of the new one, who has forgotten what the old one was asked
    assert "One." in filmed.reply() and "The connection broke" in filmed.reply()


def test_a_restart_in_a_render(backend, filmed):
    backend.fault("render", render_ms=3_600_000)
    filmed.say(SYNC)
    filmed.wait_status("rendering")
    die_and_come_back(backend)
    filmed.wait_status("ready", timeout=40)
    assert filmed.output.read_bytes() == backend.rendered(filmed)


def test_a_restart_in_a_download(backend, filmed):
    backend.fault("media", rate=2000)
    filmed.say(SYNC)
    filmed.wait_status("downloading")
    die_and_come_back(backend)
    filmed.wait_status("ready", timeout=40)
    assert filmed.output.read_bytes() == backend.rendered(filmed)


@pytest.mark.limit(90)
def test_a_black_hole(backend, mount, session, media):
    """It takes connections and says nothing, and then does."""
    other = mount.session("other")  # a message of the same one would wait for the upload
    for one in (session, other):
        one.wait_status("idle")
    errors = {}

    def attempt(name, call):
        begin = time.monotonic()
        errors[name] = error_of(call), time.monotonic() - begin
    wait_for("a moment without queries", lambda: backend.quiet(1.2))
    backend.freeze()
    with ended(spawn(["cp", media / "clip.mp4", session.inputs])) as writer:
        wait_for("it to wait", lambda: in_kernel_wait(writer.pid))
        threads = [threading.Thread(target=attempt, args=(name, call)) for name, call in
                   {"state.json": lambda: other.text("state.json"), "credits": lambda: other.text("credits"),
                    "instruct": lambda: other.say("hello")}.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        backend.thaw()
        assert writer.wait(60 * PATIENCE) == 0, writer.stderr.read()
    for name, limit in {"state.json": 3, "credits": 3, "instruct": 10}.items():
        assert errors[name][0] == errno.ETIMEDOUT and errors[name][1] < limit + 1.5 * PATIENCE, errors
    assert "hello" not in backend.messages()
    assert [f["name"] for f in backend.files()] == ["clip.mp4"]


def test_a_byte_a_second(backend, session, media):
    session.wait_status("idle")
    wait_for("a moment without queries", lambda: backend.quiet(1.2))
    backend.fault("state", rate=1)
    backend.fault("upload", request_rate=1)
    begin = time.monotonic()
    assert error_of(lambda: session.text("state.json")) == errno.ETIMEDOUT
    assert time.monotonic() - begin < 4 * PATIENCE
    with ended(spawn(["cp", media / "clip.mp4", session.inputs])) as writer:
        session.wait_status("uploading")
        writer.terminate()
        writer.wait(5 * PATIENCE)
    assert os.listdir(session.inputs) == []
    backend.no_faults()
    assert run(["cp", media / "voice.wav", session.inputs]).returncode == 0
    # An answer is read as it comes, however slowly.
    backend.answer("Slowly. ", "Done.\n", rate=60)
    session.say("make it softer")
    assert "Slowly. Done." in session.reply()
