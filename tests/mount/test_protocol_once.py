"""A message is never sent twice: at whatever point the connection breaks, the backend sees one."""
import errno
import json
import os
import re
import threading

import pytest

from harness import Backend, wait_for
from protocol import close_with, connected, fails, filmed, opened, say, text, typed

pytestmark = pytest.mark.mount(render="manual")

TITLE = 'add the title "One"'
WORDS = typed(text("Working on it. "), text("Done.\n"))

# Where it breaks, after the message left. Whether the edit is done meanwhile is up to each test.
BREAKS = {
    "before the answer": {"cut": "before_headers"},
    "before the answer, reset": {"cut": "before_headers", "reset": True},
    "after the headers": {"cut_after": 0},
    "after the headers, reset": {"cut_after": 0, "reset": True},
    "in an event": {"cut_after": 20},
    "in an event, reset": {"cut_after": 20, "reset": True},
    "between events": {"cut_after": WORDS.index("\n\n") + 2},
    "after the last event": {"cut_after": len(WORDS)},
    "after the last event, reset": {"cut_after": len(WORDS), "reset": True},
}
EVERYWHERE = pytest.mark.parametrize("rule", BREAKS.values(), ids=BREAKS.keys())


def posts(backend):
    return [r for r in backend.requests("message") if r["method"] == "POST" and r["path"] == "/run_sse"]


def titles(session):
    return "One" in session.text("timeline.txt")


@EVERYWHERE
def test_done_all_the_same(backend, session, media, rule):
    """The edit was carried out: that is told from the state, and close() had no error to tell."""
    filmed(session, media)
    fd = opened(session)
    backend.fault("message", edit=True, events=WORDS, **rule)
    close_with(fd, TITLE)
    reply = session.reply()
    assert len(posts(backend)) == 1
    assert "The message is not sent twice" in reply and "The edit was carried out:" in reply
    assert "One" in reply[reply.index("The edit was carried out:"):]
    assert titles(session) and session.status()[""] == "idle"


def test_what_was_said_comes_before_the_break(backend, session):
    """Also the sentence that the break cut off."""
    connected(session)
    backend.fault("message", edit=False, events=typed(text("It is half")) + "data: ", cut_after=55, reset=True)
    say(session, TITLE)
    reply = session.reply()
    assert reply.startswith("It is half\n") and reply.index("The connection broke") > 0, reply


@EVERYWHERE
def test_not_done(backend, session, media, rule):
    """Five readings of an unchanged state, then the failure is reported; nothing is sent again."""
    filmed(session, media)
    fd = opened(session)
    wait_for("the queries", backend.quiet)
    before = len(backend.requests("state"))
    backend.fault("message", edit=False, events=WORDS, **rule)
    close_with(fd, TITLE)
    reply = session.reply()
    assert len(posts(backend)) == 1
    assert len(backend.requests("state")) - before == 5
    assert reply.count("looking again") == 4
    status = session.status()
    assert status[""] == "failed" and "broke" in status["error"] and "timeline.txt" in status["hint"]
    assert status["error"] in reply and "carried out:" not in reply
    assert not titles(session)


@pytest.mark.mount(retry_wait=0.5, render="manual")
def test_times_between_readings(backend, session):
    """Once the wait, then twice the wait."""
    connected(session)
    fd = opened(session)
    wait_for("the queries", backend.quiet)
    before = len(backend.requests("state"))
    backend.fault("message", cut_after=0, events=WORDS)
    close_with(fd, TITLE)
    session.reply()
    readings = backend.requests("state")[before:before + 5]
    times = [posts(backend)[0]["end_ms"], *(r["time_ms"] for r in readings)]
    pauses = [b - a for a, b in zip(times, times[1:])]
    assert 450 <= pauses[0] <= 3000 and all(950 <= p <= 4000 for p in pauses[1:]), pauses


@pytest.mark.mount(retry_wait=0.5, render="manual")  # the edit is made before the first one
def test_changed_at_the_third_reading(backend, session, media):
    filmed(session, media)
    fd = opened(session)
    backend.fault("message", edit=True, events=WORDS, cut_after=5, lag_reads=2)
    close_with(fd, TITLE)
    reply = session.reply()
    assert reply.count("looking again") == 2 and "The edit was carried out:" in reply
    assert len(posts(backend)) == 1


@pytest.mark.mount(turn_timeout=1, quiet=0.4, render="manual")
@pytest.mark.parametrize("rule", [{"hold": True}, {"endless": True}, {"stall_after": 0}], ids=["no answer", "heartbeats", "silence"])
def test_the_time_limit_is_a_break(backend, session, media, rule):
    filmed(session, media)
    fd = opened(session)
    backend.fault("message", edit=False, **rule)
    close_with(fd, TITLE)
    reply = session.reply()
    assert "Hang on, still processing..." in reply or "hold" in rule
    assert "The message is not sent twice" in reply
    assert len(posts(backend)) == 1
    assert "did not answer in time" in session.status()["error"]
    assert "may have been done" in session.status()["hint"]


def test_no_connection_is_an_error_of_close(backend, session):
    """It certainly never arrived: close() says so, and nothing is tried behind the user's back."""
    connected(session)
    fd = opened(session)
    backend.stop()
    with fails(errno.ECONNREFUSED):
        close_with(fd, TITLE)
    assert session.status()[""] == "failed"
    backend.start()
    assert posts(backend) == []


@pytest.mark.parametrize("rule, number, sent", [({"code": 1001}, errno.EACCES, 1), ({"code": 1002}, errno.EREMOTEIO, 2),
                                                ({"status": 429}, errno.EAGAIN, 2), ({"status": 500}, errno.EREMOTEIO, 1),
                                                ({"status": 502}, errno.EREMOTEIO, 1), ({"code": 5000}, errno.EREMOTEIO, 1)])
def test_refusals(backend, session, rule, number, sent):
    """1001, 1002 and 429 once more at most (1001: only with another token), anything else not at all."""
    connected(session)
    fd = opened(session)
    backend.fault("message", **rule)
    with fails(number):
        close_with(fd, TITLE)
    assert len(posts(backend)) == sent


def test_once_more_with_a_new_token(backend, session):
    connected(session)
    fd = opened(session)
    backend.call("/_local/tokens/revoke", {})
    close_with(fd, "compose a symphony")
    session.reply()
    assert [r["authorized"] for r in posts(backend)] == [False, True]
    assert len(backend.requests("token")) == 2 and backend.messages() == ["compose a symphony"]


def test_a_kept_connection_that_died(backend, session):
    """A message goes over a new connection: libcurl would send it again on one that was closed meanwhile."""
    connected(session)
    for _ in range(3):
        session.text("state.json"), session.text("credits")
    fd = opened(session)
    backend.fault("message", cut="before_headers", reset=True)
    close_with(fd, TITLE)
    session.reply()
    assert len(posts(backend)) == 1


@pytest.mark.parametrize("rule, done", [
    ({"delay_ms": Backend.HOLD_MS}, False), ({"stall_after": 0}, True), ({"stall_after": 0}, False),
    ({"stall_after": 30}, True), ({"stall_after": 30}, False), ({"endless": True}, False)],
    ids=["before the answer", "after the headers, done", "after the headers", "in an event, done", "in an event", "in heartbeats"])
def test_killed_and_mounted_again(backend, mount, session, media, rule, done):
    """The next mount looks what became of it, and tells."""
    filmed(session, media)
    fd = opened(session)
    backend.fault("message", events=WORDS, edit=done, **rule)
    os.write(fd, TITLE.encode())
    thread = threading.Thread(target=quietly_close, args=(fd,))
    thread.start()
    wait_for("the message", lambda: posts(backend))
    if done:
        wait_for("the edit", lambda: any(s["drafts"] and "One" in json.dumps(s["draft"]) for s in backend.sessions()))
    mount.crash()
    thread.join()
    backend.no_faults()
    mount.start()
    session.wait_status("idle", "failed", timeout=30)
    assert len(posts(backend)) == 1
    reply = session.reply()
    assert "It is not sent again" in reply
    assert ("The edit was carried out:" in reply) == done
    assert session.status()[""] == ("idle" if done else "failed")
    assert TITLE in session.history()


def quietly_close(fd):
    try:
        os.close(fd)
    except OSError:
        pass


def test_a_session_is_not_made_twice(backend, mount):
    """The break may have come after it was made: one in the user's workspace is enough, until it is needed."""
    backend.fault("session", cut="before_headers", edit=True)
    session = mount.session("once")
    session.wait_status("failed")
    assert len(backend.requests("session")) == 1
    backend.no_faults()
    assert re.match(r"\{", session.text("state.json"))
    assert len(backend.requests("session")) == 2
