"""The export: the draft to the byte, every shape of an answer, and what goes wrong on the way."""
import errno
import hashlib
import http.server
import json
import os
import threading

import pytest

from harness import wait_for
from protocol import at_rest, close_with, connected, fails, filmed, opened, put, say

TITLE = 'add the title "One"'


@pytest.fixture
def edited(backend, session, media):
    """Edited under a mount that renders by itself."""
    filmed(session, media)
    say(session, TITLE)
    return session


def renders(backend):
    return json.loads(backend.call("/_local/renders"))


def test_draft_to_the_byte(backend, edited):
    assert "output.mp4 is ready" in edited.reply()
    (render,) = renders(backend)
    assert render["draft_equal"] is True
    (request,) = backend.requests("render")
    assert (request["method"], request["path"]) == ("POST", "/api/render/proxy/lambda")


DRAFTS = {
    "numbers": '{"t":[{"tt":0,"sg":[{"d":1.0,"x":1e-7,"y":1E+07,"z":-0,"id":9007199254740993123,"big":123456789012345678901234567890}]}]}',
    "escapes": '{"t":[{"tt":7,"sg":[{"text":"\\u00e9\\/\\u4e2d \\ud83c\\udfac"}]}]}',
    "duplicates": '{"a":1,"a":2,"t":[{"sg":[{}]}],"a":3}',
    "white space": '{ "t" : [ { "sg" : [\t{ } ] } ] , "d" :\r\n 5 }',
    "deep": '{"t":[{"sg":[{}]}],"x":' + "[" * 500 + "]" * 500 + "}",  # 512 are read
    "braces in strings": '{"t":[{"sg":[{"name":"}]\\"{[draft"}]}],"draft":{"draft":1}}',
    "long": '{"t":[{"sg":[{}]}],"x":"' + "a" * 300_000 + '"}',
}


@pytest.mark.parametrize("draft", DRAFTS.values(), ids=DRAFTS.keys())
def test_hostile_spellings(backend, session, draft):
    """What the state call sent is what the submission has, byte for byte."""
    at_rest(backend, session)
    backend.fault("state", body='{"code":0,"message":"","data":{"state":{"before":"x","draft":%s,"canvas_config":null}}}' % draft)
    backend.fault("render", status=402)
    with fails(errno.EPERM):
        say(session, "export")
    (request,) = backend.requests("render")
    # Its id is the time of its making: some moment before it came.
    head, tail = '{"id":"render_', '","sessionId":"%s","draft":%s,"output":{"format":"mp4","quality":"high"}}'
    tail = (tail % (backend.session_id("s"), draft)).encode()
    assert any(hashlib.sha256(f"{head}{ms}".encode() + tail).hexdigest() == request["body_sha256"]
               for ms in range(request["time_ms"] + 1, request["time_ms"] - 3000, -1))
    assert f'"draft":{draft},'.encode() in (session / "state.json").read_bytes()


@pytest.mark.mount(render="manual")
@pytest.mark.parametrize("draft", ["{}", '{"t":[]}', '{"t":[{"sg":[]}]}', '{"t":null}', "null"])
def test_not_ready(backend, session, draft):
    at_rest(backend, session)
    backend.fault("state", body='{"code":0,"message":"","data":{"state":{"draft":%s}}}' % draft)
    say(session, "export")
    assert "nothing to render" in session.reply()
    assert backend.requests("render") == []
    assert session.status()[""] == "failed" and "nothing to render" in session.status()["error"]


@pytest.mark.mount(render="auto")
def test_an_edit_that_empties_the_timeline_has_not_failed(backend, session):
    """Nobody asked for the render that there is none of."""
    at_rest(backend, session)
    fd = opened(session)
    backend.fault("state", body='{"code":0,"message":"","data":{"state":{"draft":{"t":[{"tt":0,"sg":[]}]}}}}')
    close_with(fd, "remove everything")
    assert "nothing to render" in session.reply()
    assert session.status()[""] == "idle" and "error" not in session.status()
    assert backend.requests("render") == []


@pytest.mark.parametrize("shape", [pytest.param(s, marks=pytest.mark.backend("--render-shape", s)) for s in ("top", "data", "flat", "none")])
@pytest.mark.parametrize("events", ["adk"])
def test_shapes(backend, edited, shape, events):
    assert "output.mp4 is ready" in edited.reply()
    assert edited.output.read_bytes() == backend.rendered(edited)
    assert bool(backend.requests("download")) == (shape == "none")


def test_ids_are_unique(backend, edited):
    edited.reply()
    for seconds in (4, 3):
        say(edited, f"trim to {seconds} s")
        assert "output.mp4 is ready" in edited.reply()
    ids = [r["path"].rsplit("/", 1)[1] for r in backend.requests("poll")]
    assert len(set(ids)) == 3 and ids == sorted(ids) and all(i.startswith("render_1") for i in ids)


@pytest.mark.limit(90)
@pytest.mark.parametrize("rule", [{"status": 503}, {"status": 429}, {"status": 408}, {"cut": "before_headers"}, {"cut_after": 3}],
                         ids=["503", "429", "408", "no answer", "cut"])
def test_polled_through(backend, session, media, rule):
    filmed(session, media)
    backend.fault("poll", times=3, **rule)
    say(session, TITLE)
    assert "output.mp4 is ready" in session.reply()
    assert len(backend.requests("render")) == 1
    assert len({r["path"] for r in backend.requests("poll")}) == 1 and len(backend.requests("poll")) >= 4


def test_failed_once(backend, session, media):
    """One new submission, under a new id."""
    filmed(session, media)
    backend.fault("render", times=1, render="fail")
    say(session, TITLE)
    assert "output.mp4 is ready" in session.reply()
    ids = [r["id"] for r in renders(backend)]
    assert len(ids) == 2 and len(set(ids)) == 2


def test_failed_twice(backend, session, media):
    filmed(session, media)
    backend.fault("render", render="fail")
    say(session, TITLE)
    reply = session.reply()
    assert "There is no output.mp4" in reply and "export" in reply
    assert len(backend.requests("render")) == 2 and not session.output.exists()
    assert session.status()[""] == "failed" and "The render failed" in session.history()


def test_failed_twice_in_two_lives(backend, mount, session, media):
    filmed(session, media)
    backend.fault("render", render="fail", render_ms=2500)
    say(session, TITLE)
    wait_for("the second", lambda: len([r for r in backend.requests("render") if r["over"]]) == 2)
    mount.crash()
    mount.start()
    session.wait_status("failed", timeout=30)
    assert "The render failed" in session.status()["error"]
    assert len(backend.requests("render")) == 2


def test_a_video_that_is_gone(backend, session, media):
    """The answers before it came from the right place."""
    filmed(session, media)
    backend.fault("media", path="/render", status=404)
    backend.fault("download", status=404)
    say(session, TITLE)
    assert "There is no output.mp4: The backend does not have what was asked for." in session.reply()
    assert session.status()["hint"] == "Write export to instruct to try again." and "NEMO_API_URL" not in session.reply()


@pytest.mark.mount(render_timeout=0.5)
def test_late(backend, session, media):
    """Reported, with the link; and it comes all the same."""
    filmed(session, media)
    link = wait_for("the link", lambda: session.status().get("link"))
    backend.fault("render", render_ms=4000)
    say(session, TITLE)
    reply = session.reply()
    assert "longer than usual" in reply and link in reply and "output.mp4 is ready" not in reply
    assert not session.output.exists()
    session.wait_status("ready", timeout=30)
    assert session.output.read_bytes() == backend.rendered(session)
    assert len(backend.requests("render")) == 1


def test_402_after_an_edit(backend, session, media):
    filmed(session, media)
    backend.fault("render", status=402)
    say(session, TITLE)
    reply = session.reply()
    assert "Credits are not the reason" in reply and "register?bind=" in reply
    assert len(backend.requests("render")) == 1


def test_resumed_after_a_cut(backend, session, media):
    filmed(session, media)
    backend.fault("media", path="/render", times=2, cut_after=5000)
    backend.fault("media", times=2, cut_after=5000)
    say(session, TITLE)
    assert "output.mp4 is ready" in session.reply()
    assert session.output.read_bytes() == backend.rendered(session)
    ranges = [r["headers"].get("range") for r in backend.requests("media")]
    assert "bytes=5000-" in ranges, ranges


class Elsewhere:
    """Another host, as far as origins go."""

    def __init__(self, content=b"", status=200, headers=None, path=None):
        self.seen = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.seen.append(dict(self.headers.items()))
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                body = content() if callable(content) else content
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/film.mp4"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def test_no_token_to_other_hosts(backend, session, media):
    filmed(session, media)
    with Elsewhere((media / "clip.mp4").read_bytes()) as elsewhere:
        backend.fault("poll", output_url=elsewhere.url)
        say(session, TITLE)
        assert "output.mp4 is ready" in session.reply()
        assert session.output.read_bytes() == (media / "clip.mp4").read_bytes()
        for headers in elsewhere.seen:
            assert not [n for n in headers if n.lower() == "authorization" or n.lower().startswith("x-skill")], headers
            assert "nmv_usr" not in str(headers)


@pytest.mark.backend("--render-shape", "none", "--download", "redirect")
def test_redirected(backend, edited):
    assert "output.mp4 is ready" in edited.reply()
    assert [r["status"] for r in backend.requests("download")] == [302]
    assert edited.output.read_bytes() == backend.rendered(edited)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "http://example.com/x.mp4",
                                    "http://169.254.169.254/x"])
def test_urls_that_are_not_followed(backend, session, media, target):
    """The id's own call is tried in their place."""
    filmed(session, media)
    backend.fault("poll", output_url=target)
    say(session, TITLE)
    assert "output.mp4 is ready" in session.reply()
    assert len(backend.requests("download")) == 1
    assert session.output.read_bytes() == backend.rendered(session)


@pytest.mark.parametrize("content", [b"<html>expired</html>", b"", b"\0" * 5000], ids=["HTML", "nothing", "zeros"])
def test_what_is_no_video_is_not_shown(backend, session, media, content):
    filmed(session, media)
    with Elsewhere(content) as elsewhere:
        backend.fault("poll", output_url=elsewhere.url)
        backend.fault("download", status=404)
        say(session, TITLE)
        assert "There is no output.mp4" in session.reply()
        assert not session.output.exists()


def test_a_redirect_without_end(backend, session, media):
    filmed(session, media)
    with Elsewhere(status=302, headers={"Location": "/again"}) as elsewhere:
        backend.fault("poll", output_url=elsewhere.url)
        say(session, TITLE)
        assert "output.mp4 is ready" in session.reply()  # by the id's own call
        assert len(elsewhere.seen) <= 10


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://example.com/x.mp4", "//example.com/x.mp4", ""])
def test_redirects_that_are_not_followed(backend, session, media, target):
    """The same where another host sends us there."""
    filmed(session, media)
    with Elsewhere(status=302, headers={"Location": target}) as elsewhere:
        backend.fault("poll", output_url=elsewhere.url)
        say(session, TITLE)
        assert "output.mp4 is ready" in session.reply()
        assert 1 <= len(elsewhere.seen) <= 10
    assert len(backend.requests("download")) == 1
    assert session.output.read_bytes() == backend.rendered(session)


def test_a_new_edit_drops_the_old_render(backend, session, media):
    filmed(session, media)
    backend.fault("render", times=1, render_ms=60_000)
    say(session, TITLE)
    session.wait_status("rendering")
    say(session, "trim to 2 s")
    reply = session.reply()
    assert "output.mp4 is ready (0:02" in reply
    assert session.output.read_bytes() == backend.rendered(session)
    _, second = backend.requests("render")
    assert all(r["time_ms"] <= second["time_ms"] + 500 for r in backend.requests("poll")
               if r["path"].endswith(min(n["id"] for n in renders(backend))))


# ---- URL uploads ----

def test_url_by_link_and_by_command(backend, session, media, web):
    connected(session)
    os.symlink(f"{web}/clip.mp4", session.inputs / "clip.mp4")
    say(session, f"upload {web}/voice.mp3 {web}/title.png")
    assert "Uploaded voice.mp3." in session.reply() and "Uploaded title.png." in session.reply()
    wait_for("all", lambda: len(backend.files()) == 3)
    assert sorted(f["name"] for f in backend.files()) == ["clip.mp4", "title.png", "voice.mp3"]
    assert backend.messages() == []
    assert os.readlink(session.inputs / "clip.mp4") == f"{web}/clip.mp4"
    assert (session.inputs / "voice.mp3").exists() or os.readlink(session.inputs / "voice.mp3")


def test_url_that_fails(backend, session, web):
    connected(session)
    backend.fault("upload", code=4001)
    with fails(errno.EOPNOTSUPP):
        say(session, f"upload {web}/voice.mp3")
    assert "Upload of voice.mp3 failed" in session.reply()


def test_odd_fields_of_an_upload_answer(backend, session, media):
    """Missing fields and unknown ones do no harm."""
    connected(session)
    backend.fault("upload", body='{"code":0,"data":{"uploaded_files":[{"zebra":1,"duration":null,"width":"x"}]}}')
    put(session.inputs / "clip.mp4", media / "clip.mp4")
    assert session.status()[""] in ("idle", "ready")
