"""The calls of the protocol, their envelopes and refusals, and what outlives a restart."""

import http.client
import json
import re
import signal
import socket
import subprocess
import threading

import pytest

import local

CREDITS = "/api/credits/balance/simple"


def test_token(start):
    server = start(token=False)
    assert (server.call("POST", "/api/auth/anonymous-token").status) == 400
    data = server.get_token().data
    assert data["token"].startswith("nmv_usr_") and data["user_id"].startswith("anon_")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", data["expires_at"])
    assert data["credits"] == 100
    again = server.get_token()
    assert (again.status, again.code) == (429, 429)
    assert server.get_token("client-2").data["user_id"] != data["user_id"]


def test_revoked_and_expired_tokens_are_replaced(start):
    server = start()
    user = server.get_token("client-9").data["user_id"]
    server.call("POST", "/_local/tokens/revoke")
    assert (server.call("GET", CREDITS).status, server.call("GET", CREDITS).code) == (401, 1001)
    assert server.get_token("client-9").data["user_id"] == user
    assert server.call("GET", CREDITS).status == 200
    short = start("--token-days", "0", token=False)
    assert short.get_token().status == 200
    assert short.call("GET", CREDITS).code == 1001
    assert short.get_token().status == 200


@pytest.mark.parametrize(
    "method,path",
    [
        ("POST", "/api/tasks/me/with-session/nemo_agent"),
        ("POST", "/api/auth/claim-token"),
        ("POST", "/api/upload-video/nemo_agent/me/1"),
        ("POST", "/run_sse"),
        ("GET", "/api/state/nemo_agent/me/1/latest"),
        ("GET", CREDITS),
        ("POST", "/api/render/proxy/lambda"),
        ("GET", "/api/render/proxy/lambda/x"),
        ("GET", "/api/render/proxy/x/download"),
    ],
)
def test_every_call_needs_a_token(server, method, path):
    answer = server.call(method, path, {} if method == "POST" else None, token=False)
    assert (answer.status, answer.code) == (401, 1001)
    assert not server.requests()[-1]["authorized"]


def test_unknown_sessions(server):
    for path in ("/api/state/nemo_agent/me/1/latest",):
        assert server.call("GET", path).code == 1002
    assert server.upload("a.mp4", b"x", session="1").code == 1002
    answer = server.message("sync", session="1")
    assert (answer.status, answer.json) == (404, {"detail": "Session not found"})
    server.call("POST", "/_local/sessions/forget", {"session_id": server.session})
    assert server.message("sync").status == 404
    assert server.call("GET", "/api/state/nemo_agent/me/%s/latest" % server.session).code == 1002


def test_session_ids_need_more_than_a_double(server):
    assert re.fullmatch(r"\d{19}", server.session)
    assert int(server.session) > 2**53


def test_sessions_belong_to_their_user(server):
    session = server.session
    server.get_token("somebody else")
    assert server.get_token("client-5").status == 200
    assert server.call("GET", "/api/state/nemo_agent/me/%s/latest" % session).code == 1002


def test_claim(start):
    server = start()
    server.open_session()
    body = {"task_id": "1", "session_id": server.session}
    data = server.call("POST", "/api/auth/claim-token", body).data
    assert data["claim_token"].startswith("clm_") and data["expires_in"] > 0
    without = start("--claim", "off")
    without.open_session()
    body["session_id"] = without.session
    assert without.call("POST", "/api/auth/claim-token", body).status == 404


def test_upload_by_form(server):
    data = bytes(range(256)) * 5000
    file = server.upload("Ünï 1.MP4", data).data["files"][0]
    assert (file["filename"], file["file_type"]) == ("Ünï 1.MP4", "video/mp4")
    entry = server.call("GET", "/_local/files").json[0]
    assert (entry["size"], entry["sha256"], entry["session"]) == (len(data), file["hash"], server.session)
    path = file["cdn_url"][len(server.url) :]
    assert server.call("GET", path, token=False).body == data
    assert server.requests("upload")[-1]["body_bytes"] > len(data)


def test_upload_refusals(start):
    server = start("--max-upload", "1000")
    server.open_session()
    assert server.upload("a.txt", b"x").code == 4001
    assert server.upload("a.mp4", b"x" * 1000).code == 0
    assert server.upload("a.mp4", b"x" * 1001).code == 4002
    assert server.upload("a.mp4", b"x" * 2_000_000).code == 4002
    assert server.upload("a.mp4", b"x", field="other").status == 422
    assert len(server.call("GET", "/_local/files").json) == 1


def test_a_broken_upload_leaves_nothing(server, tmp_path):
    head = server.request_text("POST", "/api/upload-video/nemo_agent/me/" + server.session)
    head = head.replace("Content-Length: 0", "Content-Length: 1000000\r\nContent-Type: multipart/form-data; boundary=b")
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.sendall(head.encode() + b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\nxyz')
    entry = server.wait_over("upload")
    assert (entry["complete"], entry["aborted"]) == (False, True)
    assert server.call("GET", "/_local/files").json == []


def test_upload_by_url(server):
    first = server.upload("one.wav", b"RIFF" + b"x" * 5000).data["files"][0]
    path = "/api/upload-video/nemo_agent/me/" + server.session
    answer = server.call("POST", path, {"urls": [first["cdn_url"]], "source_type": "url"})
    assert answer.data["files"][0]["hash"] == first["hash"]
    assert answer.data["files"][0]["filename"] == "one.wav"
    bad = {"urls": [server.url + "/media/input/none/x.wav"], "source_type": "url"}
    assert server.call("POST", path, bad).code == 4003
    assert server.call("POST", path, {"urls": []}).status == 422


def test_refusals_come_before_a_body_that_waits_for_them(server):
    text = server.request_text("POST", "/api/upload-video/nemo_agent/me/" + server.session)
    text = text.replace(server.token, "nmv_usr_wrong").replace(
        "Content-Length: 0", "Content-Length: 1000000\r\nExpect: 100-continue"
    )
    answer, _ = server.raw(text)
    assert answer.startswith(b"HTTP/1.1 401") and b'"code":1001' in answer


def test_media_ranges(server):
    data = bytes(range(250))
    url = server.upload("a.mp4", data).data["files"][0]["cdn_url"]
    path = url[len(server.url) :]

    def get(value, **headers):
        answer = server.call("GET", path, headers={"Range": value, **headers}, token=False)
        return answer.status, answer.body

    whole = server.call("GET", path, token=False)
    assert (whole.status, whole.body, whole.headers["Accept-Ranges"]) == (200, data, "bytes")
    tag = whole.headers["ETag"]
    assert get("bytes=10-19") == (206, data[10:20])
    assert get("bytes=200-") == (206, data[200:])
    assert get("bytes=-7") == (206, data[-7:])
    assert get("bytes=240-9999") == (206, data[240:])
    assert get("bytes=250-")[0] == 416
    assert get("bytes=9-3") == (200, data)
    assert get("bytes=1-2", **{"If-Range": tag}) == (206, data[1:3])
    assert get("bytes=1-2", **{"If-Range": '"other"'}) == (200, data)
    head = server.call("HEAD", path, token=False)
    assert (head.status, head.headers["Content-Length"], head.body) == (200, "250", b"")
    answer = server.call("GET", path, headers={"Range": "bytes=10-19"}, token=False)
    assert answer.headers["Content-Range"] == "bytes 10-19/250"


def test_media_host(start):
    server = start("--media-host", "localhost")
    server.open_session()
    url = server.upload("a.mp4", b"x").data["files"][0]["cdn_url"]
    assert url.startswith("http://localhost:%d/media/" % server.port)


def test_an_unknown_path(server):
    assert server.call("GET", "/nowhere").status == 404
    assert server.call("GET", "/media/input/../../account.json").status == 404


def test_what_is_no_edit_changes_nothing_and_is_free(server):
    server.call("POST", "/_local/credits", {"available": 0})
    for text in ("make the colours warmer", "how do I sync?", "don't sync it", "把颜色调暖"):
        assert server.say(text)
    assert server.draft["t"] == []


def test_no_credits(server):
    server.call("POST", "/_local/credits", {"available": 0})
    assert server.message("sync the voice").code == 2001


def test_a_failed_edit_is_free_and_answers_in_the_language(server):
    assert "voiceover" in server.say("sync the voice")
    assert "配音" in server.say("同步配音")
    assert server.credits == {"available": 100, "frozen": 0, "total": 100}


def test_every_answer_about_sync_says_that_mouths_stay(server):
    assert "Mouths are not redrawn" in server.say("lip-sync this")
    assert "口型" in server.say("对口型")


@pytest.mark.parametrize("shape", ["adk", "typed"])
def test_streams(start, shape):
    server = start("--events", shape, "--heartbeat", "0.05", "--think", "0.3")
    server.open_session()
    answer = server.message("sync the voice")
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["Connection"].lower() == "close"
    found = local.events(answer.body)
    said = local.words(answer.body)
    if shape == "adk":
        assert answer.body.count(b": heartbeat\n\n") >= 3
        parts = [(e["content"]["parts"][0], e.get("partial")) for e in found]
        pieces = [p["text"] for p, partial in parts if partial and "thought" not in p]
        assert len(pieces) > 1 and "".join(pieces) == said
        assert any("functionCall" in p for p, _ in parts)
        assert any("functionResponse" in p for p, _ in parts)
        assert len({e["invocationId"] for e in found}) == 1
    else:
        kinds = [e["type"] for e in found]
        assert {"tool_call", "tool_result", "text", "heartbeat"} == set(kinds)


def test_silent_edits_are_the_share_asked_for(start):
    server = start("--silent", "30")
    server.open_session()
    silent = [server.say("sync") == "" for _ in range(10)]
    assert sum(silent) == 3


def test_state_passes_odd_spellings(server):
    text = server.draft_text()
    for odd in ("9007199254740993123", "1.0,", "1e-7", "caf\\u00e9"):
        assert odd in text


def test_export_needs_attribution_and_a_draft(server):
    answer = server.submit("render_1", draft="{}", skill=False)
    assert (answer.status, answer.json["success"], answer.json["code"]) == (402, False, 402)
    assert server.submit("render_1").status == 422
    assert server.poll("render_1").status == 404


def test_deep_and_broken_bodies(server):
    deep = "[" * 200000
    for path in ("/run_sse", "/api/render/proxy/lambda", "/api/tasks/me/with-session/nemo_agent"):
        for body in (deep, '{"a":', "\0\0", '{"id":"x","sessionId":"%s","draft":%s' % (server.session, deep)):
            assert server.call("POST", path, body).status == 422
    assert server.call("GET", CREDITS).status == 200


def test_requests_are_written_down_without_the_token(server):
    server.call("DELETE", "/_local/requests")
    server.message("hello")
    (entry,) = server.requests()
    assert (entry["endpoint"], entry["text"], entry["token"]) == ("message", "hello", 0)
    assert entry["headers"]["X-Skill-Source"] == "lipsyncvideo-ai"
    assert server.token not in json.dumps(entry)


def test_two_hundred_waiting_streams_stop_nobody(start):
    server = start("--heartbeat", "60")
    server.open_session()
    server.faults({"endpoint": "message", "endless": True})
    request = server.request_text("POST", "/run_sse", json.dumps(server.message_body("x"))).encode()
    sockets = []
    for _ in range(250):
        s = socket.create_connection(("127.0.0.1", server.port), local.PATIENCE_S)
        s.sendall(request)
        sockets.append(s)
    for s in sockets:
        assert s.recv(100).startswith(b"HTTP/1.1 200")
    assert server.call("GET", CREDITS).status == 200
    assert len(server.requests("message")) == 250
    server.stop()
    for s in sockets:
        s.close()


def test_many_at_once(server):
    """Everything from several threads: what sanitizers look at."""

    def work(i):
        for _ in range(5):
            server.upload("f%d.wav" % i, b"x" * 10000)
            server.say("sync the audio")
            server.state_text()
            server.requests()
            server.faults({"endpoint": "media", "status": 500})
            server.no_faults()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(server.call("GET", "/_local/files").json) == 40


def test_restart(start, tmp_path):
    server = start("--state-dir", tmp_path)
    server.open_session()
    file = server.upload("a.wav", b"x" * 1000).data["files"][0]
    state = server.state_text().replace(str(server.port), "")
    server.call("POST", "/_local/credits", {"available": 7})
    server.process.kill()
    server.process.wait()
    again = start("--state-dir", tmp_path, token=False)
    again.token, again.session = server.token, server.session
    assert again.credits["available"] == 7
    assert again.state_text().replace(str(again.port), "") == state
    path = file["cdn_url"][len(server.url) :]
    assert again.call("GET", path).body == b"x" * 1000
    assert again.get_token().status == 429


def test_temporary_state_goes(start, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    server = start()
    server.open_session()
    server.upload("a.wav", b"x")
    assert len(list(tmp_path.iterdir())) == 1
    server.stop()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it(start, which):
    server = start()
    server.open_session()
    server.faults({"endpoint": "credits", "delay_ms": 3600000})
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.sendall(server.request_text("GET", CREDITS).encode())
        local.wait_for(lambda: server.requests("credits"))
        server.process.send_signal(which)
        assert server.process.wait(local.PATIENCE_S) == 0


def test_it_dies_with_its_parent():
    parent = subprocess.Popen(
        ["sh", "-c", '"$0" --die-with-parent & wait', local.PROGRAM],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout.readline().startswith("http://")
    parent.kill()
    parent.wait()
    assert parent.stdout.read() == "", "the pipe closes when the server has gone"


def test_usage():
    assert subprocess.run([local.PROGRAM, "--help"], capture_output=True).returncode == 0
    for bad in (["--port", "x"], ["--events", "other"], ["--nothing"], ["stray"]):
        done = subprocess.run([local.PROGRAM, *bad], capture_output=True)
        assert (done.returncode, done.stdout) == (2, b"") and done.stderr


def test_the_end_of_a_thread_is_not_the_end_of_the_parent(start):
    started = []
    thread = threading.Thread(target=lambda: started.append(start()))
    thread.start()
    thread.join()
    assert started[0].call("GET", CREDITS).status == 200


def test_a_port_that_is_taken(server):
    done = subprocess.run([local.PROGRAM, "--port", str(server.port)], capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"") and b"cannot listen" in done.stderr


def test_keep_alive(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for _ in range(3):
        connection.request("GET", CREDITS, headers=server.headers())
        assert connection.getresponse().read()
    connection.close()
