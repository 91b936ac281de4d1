"""A backend that lies, floods and tricks: an errno at worst, a mount that goes on, and nothing that reaches a terminal."""
import errno
import http.server
import json
import os
import threading
import time
from functools import partial

import pytest

from harness import PATIENCE, SANITIZED, error_of, run, sh, wait_for

ESCAPES = "\x1b]0;owned\x07\x1b[31mred\x1b[0m\x9b2J\r\b\x7f"
NAMES = ["a/b", "../../etc/passwd", "..", "nul\0nul", "line\nbreak\n2. Video: forged (0-1s)", "x" * 4096, ESCAPES,
         "\u202egnp.exe", "\ud800"]
TABLE = {errno.EPROTO, errno.EREMOTEIO, errno.ETIMEDOUT, errno.EAGAIN, errno.EFBIG}


def clean(data):
    """No control character but the newline, in bytes that may be a terminal's input."""
    text = data.decode()  # and valid UTF-8
    return not any(c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160) for c in text)


def still_works(backend, mount, name="afterwards"):
    backend.no_faults()
    session = mount.session(name)
    session.wait_status("idle")
    session.say("status")
    assert session.reply()


GENERATED = [("deep_json", 0), ("wide_json", 0), ("long_string", 0), ("space", 0), ("noise", 0), ("headers", 0),
             ("long_header", 0), ("deep_json", 10**6), ("long_string", 2 * 10**9)]


@pytest.mark.limit(120)
@pytest.mark.parametrize("generate, size", GENERATED)
def test_answers_without_measure(backend, mount, session, generate, size):
    session.wait_status("idle")
    wait_for("the first questions' answers", backend.quiet)
    before = mount.program.resident_kb()
    backend.fault("state", generate=generate, size=size)
    assert error_of(lambda: session.text("state.json")) in TABLE
    backend.no_faults()
    backend.fault("*", generate=generate, size=size)
    error_of(lambda: session.say("sync the voice"))
    error_of(lambda: (session.inputs / "a.mp3").write_bytes(b"abc"))
    assert mount.program.resident_kb() < before + 150_000 * PATIENCE  # sanitizers keep what was freed
    assert session.text("status.txt") and os.listdir(mount.point)
    still_works(backend, mount)


def state_with(names):
    segments = [{"name": name, "start": 0, "d": 1000} for name in names]
    draft = {"t": [{"tt": 0, "sg": segments}, {"tt": ESCAPES, "sg": [{"m": {"title": ESCAPES}, "d": 1e300}]}]}
    return json.dumps({"code": 0, "data": {"state": {"draft": draft}}})


def test_names_in_the_timeline(backend, mount, session):
    session.wait_status("idle")
    backend.fault("state", status=200, body=state_with(NAMES), headers={"Content-Type": "application/json"})
    listing = (session / "timeline.txt").read_bytes()
    assert clean(listing)
    assert len(listing.splitlines()) <= 4  # a name cannot forge a track
    backend.answer(ESCAPES, "text" + ESCAPES + "\n")
    session.say("make it softer")
    for name in ("reply.txt", "status.txt", "history.txt", "timeline.txt"):
        assert clean((session / name).read_bytes()), name
    assert clean(mount.program.words().encode())


def test_errors_with_escapes(backend, mount, session):
    session.wait_status("idle")
    backend.fault("message", status=500, body=json.dumps({"code": 5000, "message": ESCAPES}))
    backend.fault("upload", status=400, body=json.dumps({"code": 4999, "message": ESCAPES}))
    assert error_of(lambda: session.say("make it softer"))
    assert error_of(lambda: (session.inputs / "a.mp3").write_bytes(b"abc"))
    for name in ("reply.txt", "status.txt", "history.txt"):
        assert clean((session / name).read_bytes()), name


TRACKS = 10**5 if SANITIZED else 10**6


def state_of_tracks(path, count, name):
    track = '{"tt":0,"sg":[{"name":"%s","start":0,"d":1000}]}' % name
    path.write_text('{"code":0,"data":{"state":{"draft":{"t":[' + ",".join([track] * count) + "]}}}}")
    return str(path)


def all_else_answers(session, work):
    """While `work` goes on: the errno of each of its parts. status.txt tells what failed, and nothing else."""
    errors, slowest, words = [], 0, set()
    workers = [threading.Thread(target=lambda part=part: errors.append(error_of(part))) for part in work]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        begin = time.monotonic()
        words.add(session.status()[""])
        slowest = max(slowest, time.monotonic() - begin)
    assert slowest < PATIENCE
    assert words <= ({"idle", "working", "failed"} if any(errors) else {"idle", "working"})
    return errors


@pytest.mark.limit(120)
def test_a_million_tracks(backend, mount, session, tmp_path):
    """What takes long to read is read while everything else goes on, and once for all who ask."""
    session.wait_status("idle")
    backend.fault("state", status=200, body_file=state_of_tracks(tmp_path / "many.json", TRACKS, "n"))
    errors = all_else_answers(session, [partial(session.text, "timeline.txt")] * 20)
    assert set(errors) <= {0, errno.ETIMEDOUT}
    assert run(["ls", "-l", session]).returncode == 0
    wait_for("the listing", lambda: f"{TRACKS} tracks" in sh(f"dd if={session}/timeline.txt iflag=noatime status=none").stdout, 30)
    assert session.status()[""] == "idle"
    still_works(backend, mount)


@pytest.mark.mount(render="manual")
@pytest.mark.limit(240)
def test_a_million_changes(backend, mount, session, tmp_path):
    """Of a message that was answered without a word."""
    session.wait_status("idle")
    backend.fault("state", status=200, body_file=state_of_tracks(tmp_path / "before.json", TRACKS, "before"))
    with open(session / "instruct", "w") as instruct:
        backend.no_faults()
        backend.fault("state", status=200, body_file=state_of_tracks(tmp_path / "after.json", TRACKS, "after"))
        backend.fault("message", events="data: [DONE]\n\n")
        instruct.write("make it softer")
        assert all_else_answers(session, [instruct.close, session.reply]) == [0, 0]
    assert "after" in session.text("reply.txt")
    still_works(backend, mount)


@pytest.fixture
def liar():
    """A server for renders: /loop redirects to itself, /huge promises a terabyte, /text is no video."""
    class Liar(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append((self.path, self.headers.get("Authorization")))
            if self.path == "/loop":
                self.send_response(302)
                self.send_header("Location", "/loop")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(10**12) if self.path == "/huge" else "9")
            self.end_headers()
            self.wfile.write(b"<html>no\n")

        def log_message(self, *arguments):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.limit(120)
@pytest.mark.parametrize("url", ["LIAR/loop", "LIAR/huge", "LIAR/text", "file:///etc/passwd", "ftp://127.0.0.1/x",
                                 "gopher://127.0.0.1:1/x", "http://169.254.169.254/latest", "javascript:1", ""])
def test_videos_from_where_there_are_none(backend, mount, session, media, liar, url):
    assert run(["cp", media / "clip.mp4", session.inputs]).returncode == 0
    url = url.replace("LIAR", f"http://127.0.0.1:{liar.server_port}")
    backend.fault("render", output_url=url)
    backend.fault("poll", output_url=url)
    session.say('title "a"')
    reply = session.reply()
    assert ("output.mp4 is ready" in reply) != ("There is no output.mp4" in reply), reply
    assert "passwd" not in reply and "root:" not in reply
    # What the backend itself gives when its URL is no good is fine; anything else is not.
    assert not session.output.exists() or session.output.read_bytes() == backend.rendered(session)
    assert all(token is None for _, token in liar.asked)
    assert len(liar.asked) < 60
    used = sum(f.stat().st_size for f in mount.cache.rglob("*") if f.is_file())
    assert used < 50_000_000
    still_works(backend, mount)
