"""The event stream as users see it: either shape, any spelling, and what is never shown."""
import json
import os
from pathlib import Path

import pytest

from harness import SANITIZED, wait_for
from protocol import adk, connected, filmed, say, text, typed

pytestmark = pytest.mark.mount(render="manual")

FIXTURES = Path(__file__).parent.parent / "fixtures"

# The file, words that the user sees, words that nobody sees, the first word of status.txt.
RECORDED = {
    "adk-plain": (["Synced the voiceover."], ["thinking about lips", "replace_audio", "Click"], "idle"),
    "adk-silent": (["Nothing changed in the timeline."], ["must never be shown", "replace_audio"], "idle"),
    "adk-boom": (['Working on "it"', "tool", "failed"], ['{"error"'], "failed"),
    "adk-errorcode": (["model quota exhausted"], ["errorMessage"], "failed"),
    "mixed": (["Looking at the clip.", "Added music."], ["must never be shown", "temporary issue", "not JSON", "unheard"], "idle"),
    "typed-lines": (["Trimmed 片段. Ended."], ["must never be shown", "connected"], "idle"),
}


@pytest.mark.parametrize("gap_ms", [0, 20])
@pytest.mark.parametrize("name", RECORDED)
def test_recorded(backend, session, name, gap_ms):
    shown, hidden, word = RECORDED[name]
    connected(session)
    backend.fault("message", events_file=str(FIXTURES / f"{name}.sse"), gap_ms=gap_ms)
    say(session, "sync it")
    reply = session.reply()
    for words in shown:
        assert reply.count(words) == 1, reply
    for words in [*hidden, '{"', "functionCall", "tool_call", "invocationId"]:
        assert words not in reply + session.history() + session.text("status.txt"), reply
    assert session.status()[""] == word
    assert len(backend.requests("message")) == 1


@pytest.mark.parametrize("name", ["adk-boom", "adk-errorcode", "adk-plain"])
@pytest.mark.parametrize("end", ["", "\n"], ids=["no line end", "no blank line"])
def test_recorded_without_its_last_blank_line(backend, session, name, end):
    """The last event tells how the work ended: it counts."""
    shown, hidden, word = RECORDED[name]
    connected(session)
    backend.fault("message", events=(FIXTURES / f"{name}.sse").read_text().rstrip("\n") + end)
    say(session, "sync it")
    reply = session.reply()
    for words in shown:
        assert reply.count(words) == 1, reply
    for words in hidden:
        assert words not in reply
    assert session.status()[""] == word


def test_half_an_event_at_the_end(backend, session):
    """The stream was cut off, in whatever way the connection ended."""
    connected(session)
    backend.fault("message", events=typed(text("Working on it. ")) + 'data: {"type":"text","content":"cut off')
    say(session, "sync it")
    reply = session.reply()
    assert "The connection broke" in reply and "cut off" not in reply
    assert len(backend.requests("message")) == 1 and session.status()[""] == "failed"


PIECES = [adk({"text": "One "}, partial=True), adk({"text": "two."}, partial=True)]

ANSWERS = {
    "partial texts, once": ([*PIECES, adk({"text": "One two."})], "One two."),
    "only whole": ([adk({"text": "One two."})], "One two."),
    "only partial": (PIECES, "One two."),
    "thoughts": ([adk({"text": "hm", "thought": True}, partial=True), adk({"text": "hm", "thought": True}, {"text": "One two."})], "One two."),
    "tools": ([adk({"functionCall": {"id": "1", "name": "f", "args": {"text": "no"}}}),
               adk({"functionResponse": {"id": "1", "name": "f", "response": {"text": "no"}}}), adk({"text": "One two."})], "One two."),
    "typed": ([text("One "), {"type": "heartbeat"}, text("two.")], "One two."),
    "typed tools": ([{"type": "tool_call", "name": "f", "args": {"text": "no"}}, {"type": "tool_result", "name": "f", "result": "no"}, text("One two.")], "One two."),
    "unknown": ([{"type": "zebra", "content": "no"}, {"no": "no"}, text("One two.")], "One two."),
    "temporary issue": ([text("One two.\n"), text("I encountered a temporary issue, please try again.")], "One two."),
    "escapes": ([text("片段 ✓ \"q\" \u00e9.")], '片段 ✓ "q" é.'),
}


@pytest.mark.parametrize("events, words", ANSWERS.values(), ids=ANSWERS.keys())
def test_answers(backend, session, events, words):
    connected(session)
    backend.fault("message", events=typed(*events))
    say(session, "sync it")
    assert session.reply().strip() == words
    assert session.status()[""] == "idle"


@pytest.mark.parametrize("spelling", [lambda s: "\ufeff" + s, lambda s: s.replace("\n", "\r"), lambda s: s.replace("\n", "\r\n"),
                                      lambda s: ": hello\n\n" + s.replace("data: ", "data:"), lambda s: "data\n\ndata:\n\nevent: x\nid: 1\nretry: 5\n" + s,
                                      lambda s: s.replace('"content"', '\ndata: "content"')],
                         ids=["BOM", "CR", "CRLF", "comments", "fields", "several data lines"])
def test_spellings(backend, session, spelling):
    connected(session)
    backend.fault("message", events=spelling(typed(text("One "), text("two."))))
    say(session, "sync it")
    assert session.reply().strip() == "One two."


def test_an_issue_alone_is_told(backend, session):
    connected(session)
    backend.fault("message", events=typed(text("I encountered a temporary issue.")))
    say(session, "sync it")
    assert session.reply().strip() not in ("", "Nothing changed in the timeline.")


def test_a_megabyte_in_one_event(backend, session):
    connected(session)
    words = "word " * 200_000
    backend.fault("message", events=typed(text(words)))
    say(session, "sync it")
    assert session.reply().strip() == words.strip()


@pytest.mark.parametrize("kind", ["long_line", "events"])
def test_a_stream_without_measure(backend, mount, session, kind):
    """Bounded, and the end is told."""
    connected(session)
    backend.fault("message", generate=kind, size=0 if kind == "long_line" else (16 if SANITIZED else 64) << 20)
    say(session, "sync it")
    session.wait_status("failed", "idle", timeout=40)
    if not SANITIZED:  # ASan keeps what was freed
        assert mount.program.resident_kb() < 200_000
    assert len(backend.requests("message")) == 1
    if kind == "long_line":
        assert session.status()["error"]


@pytest.mark.mount(quiet=0.3, render="manual")
@pytest.mark.parametrize("event", [{"type": "heartbeat"}, {"type": "tool_call", "name": "f", "args": {}}],
                         ids=["heartbeats", "tools"])
def test_quiet_is_told_again_and_again(backend, session, event):
    connected(session)
    backend.fault("message", events=typed(*[event] * 8, text("Done.")), gap_ms=150)
    say(session, "sync it")
    reply = session.reply()
    assert reply.count("Hang on, still processing...") >= 2 and reply.strip().endswith("Done.")


@pytest.mark.mount(turn_timeout=1.2, render="manual")
def test_heartbeats_alone_end_earlier_than_the_turn(backend, session):
    """Two thirds of the limit: 10 minutes of 15."""
    connected(session)
    backend.fault("message", events=typed(*[{"type": "heartbeat"}] * 100), gap_ms=50)
    say(session, "sync it")
    session.reply()
    request = backend.requests("message")[0]
    assert 700 <= request["end_ms"] - request["time_ms"] <= 1150
    assert "did not answer in time" in session.status()["error"]


# ---- edits that say nothing ----

@pytest.mark.parametrize("lag", [0, 1, 2])
def test_a_silent_edit_is_told_from_the_state(backend, session, media, lag):
    """Three readings at most: states may lag."""
    filmed(session, media)
    backend.fault("message", silent=True, lag_reads=lag)
    say(session, 'add the title "Hello"')
    reply = session.reply()
    assert "Hello" in reply and "Nothing changed" not in reply, reply
    assert "Hello" in session.text("timeline.txt")
    assert session.status()[""] == "idle"


def test_a_silent_edit_that_did_nothing(backend, session, media):
    filmed(session, media)
    fd = os.open(session.instruct, os.O_WRONLY)
    wait_for("the queries", backend.quiet)
    before = len(backend.requests("state"))
    backend.fault("message", silent=True, edit=False)
    os.write(fd, b'add the title "Hello"')
    os.close(fd)
    assert session.reply().strip() == "Nothing changed in the timeline."
    assert len(backend.requests("state")) - before == 3


def silent_edit(backend, session, media, words):
    """The reply to one, of a film that is in sync."""
    filmed(session, media)
    say(session, "sync this voiceover to the speaker")
    session.reply()
    backend.fault("message", silent=True)
    say(session, words)
    return session.reply()


@pytest.mark.parametrize("words, told", [('add the title "Hello"', ["Hello"]), ("trim to 2 s", ["clip.mp4 lasts 2s instead of 5s"]),
                                          ("voice at 50%", ['volume of "voice.wav" 100% -> 50%'])])
def test_what_changed(backend, session, media, words, told):
    reply = silent_edit(backend, session, media, words)
    for word in told:
        assert word in reply, reply
    for hidden in ("{", "sg", "null", "Nothing changed"):
        assert hidden not in reply


@pytest.mark.parametrize("words, told", [
    ('add the title "Hello"', "添加了文字轨道：Hello("), ("trim to 2 s", "clip.mp4 长 2 秒，原来是 5 秒\n"),
    ("voice at 50%", "“voice.wav”的音量 100% -> 50%\n")])
@pytest.mark.mount(lang="zh", render="manual")
def test_what_changed_in_chinese(backend, session, media, words, told):
    assert told in silent_edit(backend, session, media, words)
    backend.no_faults()
    backend.fault("message", silent=True, edit=False)
    say(session, words)
    assert session.reply() == "时间线没有变化。\n"


def test_gui_words_end_at_the_mount(backend, session):
    connected(session)
    backend.fault("message", events=typed(text("The music is softer now. Click the \"Undo\" button "), text("to go back. Drag the clip to the left.")))
    say(session, "sync it")
    reply = session.reply()
    assert "The music is softer now." in reply and "instruct" in reply
    for word in ("Click", "button", "Drag"):
        assert word not in reply, reply


def test_the_export_button_exports(backend, mount, media):
    mount.unmount()
    mount.options["render"] = "auto"
    mount.start()
    session = filmed(mount.session("t"), media)
    # The script has to last longer than the edit.
    backend.fault("message", edit=True, gap_ms=1500, events=typed({"type": "heartbeat"}, text("Done. Click the Export button to download the video.")))
    say(session, 'add the title "One"')
    assert "output.mp4 is ready" in session.reply()


def test_preview_gives_the_listing(backend, session, media):
    filmed(session, media)
    backend.fault("message", edit=True, gap_ms=1500, events=typed({"type": "heartbeat"}, text("Done. You can preview it in the timeline.")))
    say(session, 'add the title "One"')
    reply = session.reply()
    assert session.text("timeline.txt").strip() in reply


def test_nothing_raw_in_any_file(backend, session):
    connected(session)
    backend.fault("message", events=typed(text('The state is {"t":[{"sg":[]}]} and the token nmv_usr_0123456789abcdef0123456789abcdef. Good.')))
    say(session, "sync it")
    everything = session.reply() + session.history() + session.text("status.txt")
    assert "Good." in everything and '"sg"' not in everything and "nmv_usr_0123" not in everything


def test_draft_spelling_is_not_the_replys(backend, session, media):
    """state.json is the backend's text to the byte."""
    filmed(session, media)
    say(session, 'add the title "One"')
    session.reply()
    raw = backend.raw_state(session).decode()
    assert session.text("state.json").rstrip("\n") in raw
    assert json.loads(session.text("state.json"))
