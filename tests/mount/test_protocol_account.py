"""Who asks: tokens, client ids, attribution, links, languages."""
import errno
import json
import os
import re
import shutil
import stat
import threading
import time
from pathlib import Path

import pytest

import harness
from harness import BUILD_DIR, Mount, wait_for
from protocol import at_rest, close_with, connected, fails, filmed, opened, put, say

MANUAL = pytest.mark.mount(render="manual")
MINE = "nmv_usr_mine"


@MANUAL
def test_one_new_token_for_many_calls(backend, mount, media):
    """They fail together, and one call for a token serves them all."""
    sessions = [mount.session(f"s{n}") for n in range(6)]
    for session in sessions:
        connected(session)
    wait_for("a moment without requests", lambda: backend.quiet(1.2))
    backend.call("/_local/tokens/revoke", {})
    before = len(backend.requests())
    errors = []

    def use(session):
        try:
            put(session.inputs / "clip.mp4", media / "clip.mp4")
            session.text("state.json")
        except OSError as error:
            errors.append(error)
    threads = [threading.Thread(target=use, args=(s,)) for s in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    requests = backend.requests()[before:]
    assert len([r for r in requests if r["endpoint"] == "token"]) == 1
    assert len({r["headers"]["x-client-id"] for r in backend.requests("token")}) == 1
    assert len(backend.files()) == 6 and len(set(backend.tokens())) == 1


@pytest.mark.backend("--token", MINE)
@pytest.mark.environment(NEMO_TOKEN=MINE)
def test_a_given_token_is_never_replaced(backend, session):
    connected(session)
    at_rest(backend, session)
    backend.fault("state", code=1001)
    with fails(errno.EACCES):
        session.text("state.json")
    with fails(errno.EACCES):
        opened(session)
    assert backend.requests("token") == []
    assert "NEMO_TOKEN" in session.status()["hint"]
    backend.no_faults()
    assert session.text("state.json")


@pytest.mark.parametrize("words, hint", [
    pytest.param("The backend does not accept the access token.", "Put a valid token into NEMO_TOKEN and mount again.", marks=MANUAL),
    pytest.param("后端不接受访问令牌。", "请把有效的令牌放入 NEMO_TOKEN 并重新挂载。", marks=pytest.mark.mount(lang="zh", render="manual"))],
    ids=["en", "zh"])
@pytest.mark.backend("--token", MINE)
@pytest.mark.environment(NEMO_TOKEN=MINE)
def test_a_message_with_a_given_token(backend, session, words, hint):
    """Sent once, and what to do about it is told wherever one looks."""
    fd = opened(connected(session))
    backend.fault("message", code=1001)
    with fails(errno.EACCES):
        close_with(fd, "make it softer")
    assert len(backend.requests("message")) == 1 and backend.requests("token") == []
    status = session.status()
    assert status["error"].startswith(words) and status["hint"] == hint
    for text in (session.reply(), session.history()):
        assert words in text and hint in text


def kept_token(backend, mount):
    """The file in which the program keeps its token."""
    kept = [p for p in Path(mount.state).rglob("*") if p.is_file() and backend.tokens()[0] in p.read_text(errors="replace")]
    assert len(kept) == 1
    return kept[0]


def test_expiry_is_foreseen(backend, mount, session):
    """A token of which little is left is renewed while it is still good, and nobody waits for that."""
    at_rest(backend, session)
    mount.unmount()
    file, token, now = kept_token(backend, mount), backend.tokens()[0], int(time.time())
    kept = {**json.loads(file.read_text()), "issued_at": now - 604_600, "expires_at": now + 200}
    file.write_text(json.dumps(kept))  # as if it had been given out a week ago
    later = {"token": token, "user_id": kept["user_id"], "expires_at": "2099-01-01T00:00:00Z", "credits": 100}
    backend.fault("token", body=json.dumps({"code": 0, "message": "success", "data": later}))
    mount.start()
    assert session.text("credits")
    wait_for("the renewal", lambda: json.loads(file.read_text())["expires_at"] > now + 86_400)
    first, second = backend.requests("token")
    assert first["headers"]["x-client-id"] == second["headers"]["x-client-id"]
    assert [r for r in backend.requests() if r["endpoint"] != "token" and r["status"] != 200] == []


@pytest.mark.parametrize("rule", [{"status": 400}, {"code": 400}], ids=["HTTP", "code"])
def test_a_missing_client_id_is_made(backend, tmp_path, rule):
    backend.fault("token", times=1, **rule)
    mount = Mount(tmp_path, backend.url)
    try:
        session = connected(mount.session())
        ids = [r["headers"]["x-client-id"] for r in backend.requests("token")]
        assert len(ids) == 2 and all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", i) for i in ids)
        assert ids[0] != ids[1]
        path = tmp_path / "home/.config/nemovideo/client_id"
        assert path.read_text().strip() == ids[1]
        mount.unmount()
    finally:
        mount.destroy()


def test_a_rate_on_the_token_call_is_reported(backend, mount):
    """No new client id behind the user's back."""
    backend.fault("token", status=429)
    session = mount.session()
    session.wait_status("failed")
    with fails(errno.EAGAIN):
        session.text("state.json")
    assert len({r["headers"]["x-client-id"] for r in backend.requests("token")}) == 1
    assert "no more requests" in session.status()["error"]


def test_the_token_call(backend, session):
    """No body, no token; the answer is kept 0600."""
    connected(session)
    request = backend.requests("token")[0]
    assert (request["method"], request["path"], request["body_bytes"]) == ("POST", "/api/auth/anonymous-token", 0)
    assert not request["authorized"]


def test_attribution_of_every_request(backend, session, media):
    filmed(session, media)
    say(session, 'add the title "One"')
    assert "output.mp4 is ready" in session.reply()
    session.text("credits"), session.text("state.json")
    kinds = {r["endpoint"] for r in backend.requests()}
    assert kinds >= {"token", "session", "claim", "upload", "message", "state", "credits", "render", "poll"}
    for request in backend.requests():
        headers = request["headers"]
        assert headers["x-skill-source"] == "lipsyncvideo-ai" and headers["x-skill-version"] == "1.0.1"
        assert headers["x-skill-platform"] == "unknown"
        assert request["authorized"] or request["endpoint"] == "token"
        assert "nmv_usr" not in request["path"] + str(headers)


@pytest.mark.parametrize("place, environment, platform", [
    (".clawhub/skills/lipsync", {}, "clawhub"), (".cursor/skills/lipsync", {}, "cursor"), (".cursor/other", {}, "unknown"),
    ("bin", {}, "unknown"), (".clawhub/x", {"SKILL_SOURCE": "workbench"}, "workbench"), ("bin", {"SKILL_SOURCE": "clawhub"}, "clawhub")])
def test_platform(backend, tmp_path, monkeypatch, place, environment, platform):
    """Where the program is installed tells; SKILL_SOURCE knows better."""
    build = tmp_path / "home" / place
    (build / "bin").mkdir(parents=True)
    shutil.copy2(BUILD_DIR / "bin/lipsyncfs", build / "bin/lipsyncfs")
    monkeypatch.setattr(harness, "BUILD_DIR", build)
    mount = Mount(tmp_path, backend.url, env=environment)
    try:
        connected(mount.session())
        assert {r["headers"]["x-skill-platform"] for r in backend.requests()} == {platform}
        mount.unmount()
    finally:
        mount.destroy()


def test_link(backend, session):
    link = wait_for("the link", lambda: session.status().get("link"))
    assert re.fullmatch(r"https://nemovideo.com/workspace/claim\?ct=clm_\w+", link)
    assert len(backend.requests("claim")) == 1


@pytest.mark.mount(web="https://web.example")
def test_link_of_another_web(session):
    link = wait_for("the link", lambda: session.status().get("link"))
    assert link.startswith("https://web.example/workspace/claim?ct=clm_")


def test_link_without_an_end(backend, mount):
    """How long it is good for was not told: shown all the same."""
    backend.fault("claim", body='{"code":0,"message":"","data":{"claim_token":"clm_x"}}')
    session = mount.session("open")
    assert wait_for("the link", lambda: session.status().get("link")).endswith("claim?ct=clm_x")


@pytest.mark.backend("--claim", "off")
def test_no_link(backend, session):
    """Absent without fuss."""
    connected(session)
    wait_for("the call", lambda: backend.requests("claim") and backend.quiet())
    status = session.status()
    assert "link" not in status and "error" not in status and status[""] == "idle"
    assert session.history() == ""


@pytest.mark.parametrize("locale, options, lang", [
    ("de_DE.UTF-8", {}, "de"), ("zh_CN.UTF-8", {}, "zh"), ("C", {}, "en"), ("C.UTF-8", {}, "en"), ("POSIX", {}, "en"),
    ("de_DE.UTF-8", {"lang": "zh"}, "zh"), ("C", {"lang": "fr"}, "fr")])
def test_language(backend, tmp_path, locale, options, lang):
    mount = Mount(tmp_path, backend.url, options, {"LC_ALL": locale})
    try:
        session = connected(mount.session())
        assert [s["language"] for s in backend.sessions()] == [lang]
        chinese = any("\u4e00" <= c <= "\u9fff" for c in (mount.point / "README.txt").read_text())
        assert chinese == (lang == "zh")
        assert session.text("timeline.txt").startswith("时间线(" if lang == "zh" else "Timeline (")
        mount.unmount()
    finally:
        mount.destroy()


@pytest.mark.mount(render="manual")
def test_session_names_and_ids(backend, mount):
    """19 digits survive: the string of the answer is what later calls name."""
    session = connected(mount.session("访谈 1"))
    session.text("state.json")
    (made,) = backend.sessions()
    assert made["name"] == "访谈 1" and re.fullmatch(r"\d{19}", made["session_id"])
    assert f"/{made['session_id']}/" in backend.requests("state")[0]["path"]


def test_client_id_file(backend, mount, session):
    connected(session)
    path = mount.directory / "home/.config/nemovideo/client_id"
    assert path.read_text().strip() == backend.requests("token")[0]["headers"]["x-client-id"]
    assert stat.S_IMODE(os.stat(kept_token(backend, mount)).st_mode) == 0o600
