"""Every effect of a fault rule does what README.md says."""

import http.client
import json
import socket
import threading
import time

import pytest

import local


def test_code_hits_the_named_call_only(server):
    server.faults({"endpoint": "state", "call": 2, "code": 1002, "message": "gone"})
    assert "draft" in server.state_text()
    assert json.loads(server.state_text()) == {"code": 1002, "message": "gone", "data": None}
    assert "draft" in server.state_text()


def test_range_of_calls_and_other_endpoints(server):
    server.faults({"endpoint": "credits", "call": {"from": 2, "to": 3}, "status": 503})
    path = "/api/credits/balance/simple"
    assert [server.call("GET", path).status for _ in range(4)] == [200, 503, 503, 200]
    assert server.call("GET", "/api/state/nemo_agent/me/%s/latest" % server.session).status == 200


def test_star_hits_everything_but_control(server):
    server.faults({"endpoint": "*", "status": 500})
    assert server.call("GET", "/api/credits/balance/simple").status == 500
    assert server.call("POST", "/run_sse", {}).status == 500
    assert server.requests("credits")[-1]["status"] == 500


def test_status_with_headers_and_retry_after(server):
    server.faults(
        {"endpoint": "credits", "status": 429, "retry_after": 7, "headers": {"X-Other": "yes"}}
    )
    answer = server.call("GET", "/api/credits/balance/simple")
    assert (answer.status, answer.headers["Retry-After"], answer.headers["X-Other"]) == (429, "7", "yes")


def test_a_refused_call_is_not_carried_out_unless_wanted(server):
    server.faults({"endpoint": "session", "call": 1, "status": 500})
    path = "/api/tasks/me/with-session/nemo_agent"
    assert server.call("POST", path, {"task_name": "a"}).status == 500
    assert len(server.call("GET", "/_local/sessions").json) == 1
    server.faults({"endpoint": "session", "call": 1, "status": 500, "edit": True})
    assert server.call("POST", path, {"task_name": "b"}).status == 500
    assert len(server.call("GET", "/_local/sessions").json) == 2


def test_body_is_repeated(server, tmp_path):
    server.faults({"endpoint": "credits", "body": "abc", "repeat": 3})
    assert server.call("GET", "/api/credits/balance/simple").body == b"abcabcabc"
    file = tmp_path / "body"
    file.write_text("from a file")
    server.faults({"endpoint": "credits", "body_file": str(file), "status": 418})
    answer = server.call("GET", "/api/credits/balance/simple")
    assert (answer.status, answer.body) == (418, b"from a file")


def test_garbage_is_no_json(server):
    server.faults({"endpoint": "credits", "garbage": True, "size": 1000})
    answer = server.call("GET", "/api/credits/balance/simple")
    assert (answer.status, len(answer.body)) == (200, 1000)
    with pytest.raises(ValueError):
        answer.json


@pytest.mark.parametrize("kind", ["deep_json", "wide_json", "long_string"])
def test_generated_json_is_whole_and_of_that_size(server, kind):
    server.faults({"endpoint": "credits", "generate": kind, "size": 100000})
    body = server.call("GET", "/api/credits/balance/simple").body
    assert 99000 < len(body) <= 100000
    assert body.count(b"[") == body.count(b"]") and body.count(b"{") == body.count(b"}")
    if kind != "deep_json":
        json.loads(body)


def test_endless_body_ends_with_the_reader(server):
    server.faults({"endpoint": "credits", "generate": "space"})
    with socket.create_connection(("127.0.0.1", server.port), local.PATIENCE_S) as s:
        s.sendall(server.request_text("GET", "/api/credits/balance/simple").encode())
        got = 0
        while got < 5_000_000:
            got += len(s.recv(1 << 20))
    assert server.wait_over("credits")["aborted"]


@pytest.mark.parametrize("kind", ["headers", "long_header"])
def test_hostile_headers(server, kind):
    server.faults({"endpoint": "credits", "generate": kind, "size": 300000})
    text, _ = server.raw(server.request_text("GET", "/api/credits/balance/simple"))
    assert text.startswith(b"HTTP/1.1 200 OK\r\n") and text.endswith(b"\r\n\r\n{}")
    assert 290000 < len(text) <= 300000


def test_delay_waits_and_is_lifted_with_the_rules(server):
    server.faults({"endpoint": "credits", "delay_ms": 300})
    began = time.monotonic()
    server.call("GET", "/api/credits/balance/simple")
    assert time.monotonic() - began >= 0.3
    server.faults({"endpoint": "credits", "delay_ms": 3600000})
    waiting = threading.Thread(target=server.call, args=("GET", "/api/credits/balance/simple"))
    waiting.start()
    local.wait_for(lambda: len(server.requests("credits")) == 2)
    server.no_faults()
    waiting.join(local.PATIENCE_S)
    assert not waiting.is_alive()


@pytest.mark.parametrize("reset", [False, True])
def test_cut_before_headers(server, reset):
    server.faults({"endpoint": "credits", "cut": "before_headers", "reset": reset})
    text, was_reset = server.raw(server.request_text("GET", "/api/credits/balance/simple"))
    assert (text, was_reset) == (b"", reset)
    entry = server.wait_over("credits")
    assert (entry["status"], entry["aborted"], entry["complete"]) == (0, False, True)


def test_a_call_cut_off_was_carried_out_or_not_as_wanted(server):
    path = "/api/tasks/me/with-session/nemo_agent"
    for edit, count in ((False, 1), (True, 2)):
        server.faults({"endpoint": "session", "cut": "before_headers", "edit": edit})
        with pytest.raises((OSError, http.client.HTTPException)):
            server.call("POST", path, {"task_name": "a"})
        assert len(server.call("GET", "/_local/sessions").json) == count


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("after", [0, 10])
def test_cut_in_the_body(server, after, reset):
    server.faults({"endpoint": "credits", "cut_after": after, "reset": reset})
    text, was_reset = server.raw(server.request_text("GET", "/api/credits/balance/simple"))
    head, body = text.split(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    assert (len(body), was_reset) == (after, reset)
    assert length > after


def test_cut_of_the_request(server):
    server.faults({"endpoint": "upload", "cut": "request", "cut_after": 100000, "reset": True})
    with pytest.raises(OSError):
        server.upload("a.mp4", b"x" * 5_000_000)
    entry = server.wait_over("upload")
    assert not entry["complete"] and entry["body_bytes"] <= 100000
    assert server.call("GET", "/_local/files").json == []


def test_refused_connection(server):
    server.faults({"endpoint": "accept", "call": 2, "cut": "before_headers"})
    server.requests()
    with pytest.raises(OSError):
        server.requests()
    server.requests()


def test_stall_in_the_body_goes_on_when_lifted(server):
    server.faults({"endpoint": "credits", "stall_after": 5})
    with socket.create_connection(("127.0.0.1", server.port), local.PATIENCE_S) as s:
        s.sendall(server.request_text("GET", "/api/credits/balance/simple").encode())
        got = b""
        while not got.partition(b"\r\n\r\n")[2]:
            got += s.recv(65536)
        assert len(got.partition(b"\r\n\r\n")[2]) == 5
        assert not server.requests("credits")[-1]["over"]
        server.no_faults()
        rest, _ = local.read_all(s)
    assert json.loads((got + rest).partition(b"\r\n\r\n")[2])["code"] == 0


def test_headers_come_before_a_stall_at_nothing(server):
    server.faults({"endpoint": "credits", "stall_after": 0})
    with socket.create_connection(("127.0.0.1", server.port), local.PATIENCE_S) as s:
        s.sendall(server.request_text("GET", "/api/credits/balance/simple").encode())
        got = b""
        while b"\r\n\r\n" not in got:
            got += s.recv(65536)
        assert got.endswith(b"\r\n\r\n")
    assert server.wait_over("credits")["aborted"]


def test_stall_of_the_request(server):
    server.faults({"endpoint": "upload", "stall": "request", "stall_after": 1000})
    done = threading.Thread(target=server.upload, args=("a.mp4", b"x" * 20_000_000))
    done.start()
    local.wait_for(lambda: server.requests("upload"))
    assert not server.requests("upload")[-1]["over"]
    assert server.credits["available"] == 100, "others are served meanwhile"
    server.no_faults()
    done.join(local.PATIENCE_S)
    assert server.wait_over("upload")["complete"]


def test_rate(server):
    server.faults({"endpoint": "credits", "body": "x" * 1000, "rate": 2000})
    began = time.monotonic()
    assert len(server.call("GET", "/api/credits/balance/simple").body) == 1000
    assert 0.35 < time.monotonic() - began < 5


def test_request_rate(server):
    server.faults({"endpoint": "upload", "request_rate": 2_000_000})
    began = time.monotonic()
    server.upload("a.mp4", b"x" * 1_000_000)
    assert time.monotonic() - began > 0.4


def test_script_in_place_of_the_agent(server):
    script = 'data: {"type":"text","content":"one"}\n\n: note\n\ndata: {"type":"text","content":" two"}\r\n\r\n'
    server.faults({"endpoint": "message", "events": script, "gap_ms": 150})
    began = time.monotonic()
    answer = server.message("sync the audio")
    assert answer.body == script.encode()
    assert time.monotonic() - began >= 0.3
    assert server.credits["available"] == 100 and server.draft["t"] == []


def test_endless_heartbeats_end_with_the_rules(start):
    server = start("--heartbeat", "0.05", "--events", "typed")
    server.open_session()
    server.faults({"endpoint": "message", "endless": True})
    with socket.create_connection(("127.0.0.1", server.port), local.PATIENCE_S) as s:
        body = json.dumps(server.message_body("sync the audio"))
        s.sendall(server.request_text("POST", "/run_sse", body).encode())
        got = b""
        while got.count(b'{"type":"heartbeat"}') < 3:
            got += s.recv(65536)
        server.no_faults()
        rest, _ = local.read_all(s)
    assert (got + rest).endswith(b"0\r\n\r\n")


def test_unknown_keys_and_values_are_refused(server):
    for rule in (
        {"endpoint": "state", "cod": 1},
        {"endpoint": "nowhere", "code": 1},
        {"code": 1},
        {"endpoint": "state", "cut": "somewhere"},
        {"endpoint": "state", "status": "x"},
        {"endpoint": "state", "silent": 1},
        {"endpoint": "control", "status": 500},
    ):
        assert server.call("POST", "/_local/faults", {"rules": [rule]}).status == 422, rule
    assert server.call("POST", "/_local/faults", [1]).status == 422


def test_rules_from_a_file(start, tmp_path):
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"rules": [{"endpoint": "token", "call": 1, "status": 503}]}))
    server = start("--faults", file, token=False)
    assert server.get_token().status == 503
    assert server.get_token().status == 200
