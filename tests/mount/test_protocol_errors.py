"""Every row of the error table: what is sent and how often, which errno, and what the user reads of it."""
import errno

import pytest

from harness import wait_for
from protocol import at_rest, close_with, connected, fails, filmed, opened, put, say, typed

pytestmark = pytest.mark.mount(render="manual")


def grant_another(backend, rule):
    """The backend grants one token a client and week, unless that one is no good any more."""
    if rule.get("code") == 1001 or rule.get("status") == 401:
        wait_for("the queries", backend.quiet)  # else one of them takes the new one
        backend.call("/_local/tokens/revoke", {})


def refusal(*, code=None, status=None, **more):
    return {k: v for k, v in {"code": code, "status": status, **more}.items() if v is not None}


# name: rule, errno, how often a message is sent, what `error:` and `hint:` say, and in Chinese
MESSAGES = {
    "1001": (refusal(code=1001), errno.EACCES, 2, "does not accept the access token", "Register at http",
        "后端不接受访问令牌。", "换用新的匿名令牌也没有用。请在此注册：http"),
    "401": (refusal(status=401), errno.EACCES, 2, "does not accept the access token", "register?bind=anon_",
        "后端不接受访问令牌。", "register?bind=anon_"),
    "1002": (refusal(code=1002), errno.EREMOTEIO, 2, "does not know this session", "a new session",
        "后端已经不认识这个会话了。", "会新建会话并重新上传素材"),
    "404": (refusal(status=404, message="Session not found"), errno.EREMOTEIO, 2, "does not know this session", "a new session",
        "后端已经不认识这个会话了。", "会新建会话并重新上传素材"),
    "2001": (refusal(code=2001), errno.EDQUOT, 1, "No credits are left", "register?bind=anon_",
        "积分已用完。", "注册后可以继续：http"),
    "4001": (refusal(code=4001), errno.EOPNOTSUPP, 1, "cannot handle that type", "mp4 mov avi webm mkv",
        "后端无法处理这种类型的文件。", "支持：mp4 mov avi webm mkv，"),
    "4002": (refusal(code=4002), errno.EFBIG, 1, "too large", "Trim or compress",
        "文件太大。", "请剪短或压缩后再复制进来。"),
    "413": (refusal(status=413), errno.EFBIG, 1, "too large", "Trim or compress",
        "文件太大。", "请剪短或压缩后再复制进来。"),
    "402": (refusal(status=402), errno.EPERM, 1, "Credits are not the reason", "register?bind=anon_",
        "免费套餐不允许这样做，与积分无关。", "注册或升级后可以继续：http"),
    "code 402": (refusal(code=402), errno.EPERM, 1, "Credits are not the reason", "register?bind=anon_",
        "免费套餐不允许这样做，与积分无关。", "注册或升级后可以继续：http"),
    "403": (refusal(status=403), errno.EACCES, 1, "refuses this request", "register?bind=anon_",
        "后端拒绝了这个请求。", "注册后可以做更多：http"),
    "429": (refusal(status=429), errno.EAGAIN, 2, "no more requests", "again",
        "后端暂时不再接受请求。", "再试。"),
    "code 429": (refusal(code=429), errno.EAGAIN, 2, "no more requests", "again",
        "后端暂时不再接受请求。", "再试。"),
    "500": (refusal(status=500), errno.EREMOTEIO, 1, "The backend failed (HTTP 500)", "Try again later",
        "后端出错了（HTTP 500）。", "请稍后再试。"),
    "503": (refusal(status=503), errno.EREMOTEIO, 1, "The backend failed (HTTP 503)", "Try again later",
        "后端出错了（HTTP 503）。", "请稍后再试。"),
    "code 5000": (refusal(code=5000), errno.EREMOTEIO, 1, "The backend failed (error 5000)", "Try again later",
        "后端出错了（错误 5000）。", "请稍后再试。"),
}


def told(backend, session, rule, number, sent, words, hint):
    """A definite refusal is close()'s; nothing is sent again but what the table says, and all who look are told."""
    connected(session)
    fd = opened(session)
    grant_another(backend, rule)
    backend.fault("message", **{"message": "so says the backend", **rule})
    with fails(number):
        close_with(fd, "make it softer\n")
    assert len(backend.requests("message")) == sent
    status = session.status()
    assert status[""] == "failed"
    assert words in status["error"] and hint in status["hint"]
    reply, history = session.reply(), session.history()
    for text in (reply, history):
        assert words in text and hint in text
    assert "instruct: make it softer" in history
    for word in ("nmv_usr", "{", '"code"'):
        assert word not in status["error"] + reply + history


@pytest.mark.parametrize("row", MESSAGES.values(), ids=MESSAGES.keys())
def test_message(backend, session, row):
    told(backend, session, *row[:5])


@pytest.mark.parametrize("row", MESSAGES.values(), ids=MESSAGES.keys())
@pytest.mark.mount(lang="zh", render="manual")
def test_message_in_chinese(backend, session, row):
    told(backend, session, *row[:3], *row[5:])
    assert row[3] not in session.text("status.txt") + session.reply() + session.history()


UPLOADS = {
    "1001": (refusal(code=1001), errno.EACCES, 2, "access token"),
    "401": (refusal(status=401), errno.EACCES, 2, "access token"),
    "1002": (refusal(code=1002), errno.EREMOTEIO, 2, "does not know this session"),
    "2001": (refusal(code=2001), errno.EDQUOT, 1, "No credits"),
    "4001": (refusal(code=4001), errno.EOPNOTSUPP, 1, "cannot handle that type"),
    "4002": (refusal(code=4002), errno.EFBIG, 1, "too large"),
    "402": (refusal(status=402), errno.EPERM, 1, "free plan"),
    "403": (refusal(status=403), errno.EACCES, 1, "refuses"),
    "429": (refusal(status=429), errno.EAGAIN, 2, "no more requests"),
    "no list": (refusal(body='{"code":0,"data":{"files":[]}}'), errno.EPROTO, 1, "makes no sense"),
    "garbage": (refusal(garbage=True, size=1000), errno.EPROTO, 1, "makes no sense"),
}


@pytest.mark.parametrize("rule, number, sent, words", UPLOADS.values(), ids=UPLOADS.keys())
def test_upload(backend, session, media, rule, number, sent, words):
    """The close of an input tells; the file stays, marked."""
    connected(session)
    grant_another(backend, rule)
    backend.fault("upload", **rule)
    with fails(number):
        put(session.inputs / "clip.mp4", media / "clip.mp4")
    assert len(backend.requests("upload")) == sent
    status = session.status()
    assert status[""] == "failed" and words in status["error"] and words in status["upload"]
    assert status["upload"].startswith("clip.mp4 failed: ")
    assert words in session.history()
    assert (session.inputs / "clip.mp4").read_bytes() == (media / "clip.mp4").read_bytes()


@pytest.mark.parametrize("rule, number, words, hint", [
    (refusal(code=4001), errno.EOPNOTSUPP, "后端无法处理这种类型的文件。", "支持：mp4 mov"),
    (refusal(code=4002), errno.EFBIG, "文件太大。", "请剪短或压缩后再复制进来。"),
    (refusal(code=2001), errno.EDQUOT, "积分已用完。", "注册后可以继续：http")], ids=["4001", "4002", "2001"])
@pytest.mark.mount(lang="zh", render="manual")
def test_upload_in_chinese(backend, session, media, rule, number, words, hint):
    connected(session)
    backend.fault("upload", **rule)
    with fails(number):
        put(session.inputs / "clip.mp4", media / "clip.mp4")
    status = session.status()
    assert words in status["error"] and words in status["upload"] and hint in status["hint"]
    assert words in session.history()


def test_upload_4001_lists_the_formats(backend, session, media):
    connected(session)
    backend.fault("upload", code=4001)
    with fails(errno.EOPNOTSUPP):
        put(session.inputs / "clip.mp4", media / "clip.mp4")
    for extension in "mp4 mov avi webm mkv jpg jpeg png gif webp mp3 wav m4a aac".split():
        assert extension in session.status()["hint"]


QUERIES = {
    "1001": (refusal(code=1001), errno.EACCES, 2), "401": (refusal(status=401), errno.EACCES, 2),
    "403": (refusal(status=403), errno.EACCES, 1), "402": (refusal(status=402), errno.EPERM, 1),
    "429": (refusal(status=429), errno.EAGAIN, 1), "500": (refusal(status=500), errno.EREMOTEIO, 1),
    "code 500": (refusal(code=500), errno.EREMOTEIO, 1), "garbage": (refusal(garbage=True, size=999), errno.EPROTO, 1),
    "cut": (refusal(cut="body", cut_after=10), errno.EREMOTEIO, 1),
    "before an answer": (refusal(cut="before_headers"), errno.EREMOTEIO, 1),
    "deep": (refusal(generate="deep_json", size=1 << 20), errno.EPROTO, 1),
    "endless": (refusal(generate="space"), errno.EPROTO, 1),
}


@pytest.mark.parametrize("name, endpoint", [("state.json", "state"), ("timeline.txt", "state"), ("credits", "credits")])
@pytest.mark.parametrize("rule, number, sent", QUERIES.values(), ids=QUERIES.keys())
def test_query(backend, session, rule, number, sent, name, endpoint):
    """One try and one re-authentication; the error is open()'s, and an answer without an end has one."""
    at_rest(backend, session)
    before = len(backend.requests(endpoint))
    grant_another(backend, rule)
    backend.fault(endpoint, **rule)
    with fails(number, *([errno.ETIMEDOUT] if "generate" in rule else [])):
        session.text(name)
    if rule.get("cut") != "before_headers":  # then a kept connection may just have been too old
        assert len(backend.requests(endpoint)) - before == sent


def refused_export(backend, session, media, words):
    """The status after it."""
    filmed(session, media)
    say(session, 'add the title "One"')
    session.reply()
    backend.fault("render", status=402)
    fd = opened(session)
    with fails(errno.EPERM):
        close_with(fd, words)
    return session.status()


def test_export_402_is_not_about_credits(backend, session, media):
    status = refused_export(backend, session, media, "export")
    assert len(backend.requests("render")) == 1
    assert "Credits are not the reason" in status["error"]
    assert "register?bind=anon_" in status["hint"] and status["hint"] in session.reply()
    assert "No credits" not in session.history()


@pytest.mark.mount(lang="zh", render="manual")
def test_export_402_in_chinese(backend, session, media):
    status = refused_export(backend, session, media, "导出")
    assert "免费套餐不允许这样做，与积分无关。" in status["error"] and status["error"] in session.history()
    assert status["hint"].startswith("注册或升级后可以继续：http") and status["hint"] in session.reply()


@pytest.mark.parametrize("wait_s, rule", [(0.4, {}), (1, {"retry_after": 1})], ids=["retry_wait", "Retry-After"])
@pytest.mark.mount(retry_wait=0.4, render="manual")
def test_429_waits_then_succeeds(backend, session, wait_s, rule):
    connected(session)
    fd = opened(session)
    backend.fault("message", status=429, times=1, **rule)
    close_with(fd, "compose a symphony")
    first, second = backend.requests("message")
    assert second["time_ms"] - first["end_ms"] >= wait_s * 1000 - 50
    assert backend.messages() == ["compose a symphony"] and second["status"] == 200
    assert session.reply().strip()
    assert session.status()[""] == "idle"


@pytest.mark.backend("--token", "nmv_usr_mine")
@pytest.mark.environment(NEMO_TOKEN="nmv_usr_mine")
def test_2001_of_a_registered_user(backend, session):
    """Told apart from the anonymous one: nothing to register, credits to buy."""
    connected(session)
    fd = opened(session)
    backend.fault("message", code=2001)
    with fails(errno.EDQUOT):
        close_with(fd, "make it softer")
    assert "Top up at nemovideo.com" in session.status()["hint"]
    assert "register" not in session.reply()


@pytest.mark.parametrize("endpoint", ["upload", "state"])
@pytest.mark.parametrize("rule", [{"status": 502}, {"cut": "before_headers", "reset": True}, {"cut": "body", "cut_after": 5}],
                         ids=["502", "reset", "cut"])
def test_passing_faults_of_repeatable_calls(backend, session, media, endpoint, rule):
    """Tried again with backoff until it works; nobody is told of an error."""
    at_rest(backend, session)
    if endpoint == "upload":
        backend.fault("upload", times=2, **rule)
        put(session.inputs / "clip.mp4", media / "clip.mp4")
        times = backend.requests("upload")
        assert len(times) == 3 and {f["name"] for f in backend.files()} == {"clip.mp4"}
    else:
        fd = opened(session)
        before = len(backend.requests("state"))
        backend.fault("state", times=2, **rule)
        close_with(fd, "compose a symphony")  # the state after an edit is such a call
        session.reply()
        assert len(backend.requests("state")) - before >= 3
    assert session.status()[""] == "idle" and "error" not in session.status()


@pytest.mark.limit(90)
def test_passing_faults_have_a_deadline(backend, session, media):
    connected(session)
    backend.fault("upload", status=503)
    with fails(errno.EREMOTEIO):
        put(session.inputs / "voice.wav", media / "voice.wav")
    requests = backend.requests("upload")
    assert 10 <= (requests[-1]["end_ms"] - requests[0]["time_ms"]) / 1000 <= 32
    pauses = [b["time_ms"] - a["end_ms"] for a, b in zip(requests, requests[1:])]
    assert max(pauses) > 3 * min(pauses), pauses


@pytest.mark.parametrize("body", [
    '{{"code":0,"message":"success","data":{{"available":{n},"frozen":1,"total":{n}}}}}',
    '{{"success":true,"data":{{"available":{n},"frozen":1,"total":{n}}},"error":null}}',
    '{{"available":{n},"frozen":1,"total":{n}}}'], ids=["code", "success", "bare"])
def test_envelopes(backend, session, body):
    at_rest(backend, session)
    backend.fault("credits", body=body.format(n=77))
    assert session.text("credits") == "available 77\nfrozen 1\ntotal 77\n"


@pytest.mark.parametrize("body, number", [
    ('{"code":2001,"message":"none left","data":null}', errno.EDQUOT),
    ('{"success":false,"error":"the plan says no","code":402}', errno.EPERM),
    ('{"success":false,"error":"something"}', errno.EREMOTEIO), ("[]", errno.EPROTO), ("", errno.EPROTO)])
def test_envelopes_of_errors_with_status_200(backend, session, body, number):
    at_rest(backend, session)
    backend.fault("credits", body=body)
    with fails(number):
        session.text("credits")


@pytest.mark.parametrize("data, wanted", [
    ('{"available":-5,"frozen":-1,"total":3}', "available 0\nfrozen 0\ntotal 3\n"),
    ('{}', "available 0\nfrozen 0\ntotal 0\n"), ('{"total":9}', "available 0\nfrozen 0\ntotal 9\n"),
    ('{"available":null,"frozen":"x","total":12}', "available 0\nfrozen 0\ntotal 12\n")])
def test_credits_missing_or_negative_are_none(backend, session, data, wanted):
    at_rest(backend, session)
    backend.fault("credits", body='{"code":0,"message":"","data":%s}' % data)
    assert session.text("credits") == wanted


def test_an_unreachable_backend(backend, session, media):
    at_rest(backend, session)
    backend.stop()
    for call in (lambda: session.text("state.json"), lambda: opened(session)):
        with fails(errno.ECONNREFUSED):
            call()
    assert "does not take connections" in session.status()["error"]
    assert "NEMO_API_URL" in session.status()["hint"]


def test_an_error_of_the_agent(backend, session):
    """Badly escaped JSON and all: the words are shown, the JSON is not."""
    connected(session)
    backend.fault("message", events='data: {"error":"tool "sync" failed: {bad}"}\n\n')
    say(session, "sync it")
    reply = session.reply()
    assert "tool " in reply and "failed" in reply and '{"error"' not in reply
    assert session.status()[""] == "failed"
    assert len(backend.requests("message")) == 1


@pytest.mark.mount(render="auto")
def test_an_error_after_half_of_the_work(backend, session, media):
    """The change is rendered; what was asked for failed all the same."""
    filmed(session, media)
    backend.fault("message", edit=True, gap_ms=1500, events=typed({"type": "heartbeat"}, {"error": "no voice"}))
    say(session, 'add the title "One"')
    reply = session.reply()
    assert "no voice" in reply and "output.mp4 is ready" in reply
    status = session.status()
    assert status[""] == "failed" and "no voice" in status["error"] and session.output.exists()
    backend.no_faults()
    say(session, 'add the title "Two"')
    session.reply()
    assert session.status()[""] == "ready" and "error" not in session.status()


@pytest.mark.parametrize("name", ["state.json", "timeline.txt", "credits"])
def test_the_error_of_a_query_goes_with_the_next_that_succeeds(backend, session, name):
    at_rest(backend, session)
    endpoint = "credits" if name == "credits" else "state"
    backend.fault(endpoint, status=500)
    with fails(errno.EREMOTEIO):
        session.text(name)
    assert session.status()[""] == "failed"
    backend.no_faults()
    session.text(name)
    assert session.status()[""] == "idle" and "error" not in session.status()


def test_a_query_does_not_take_away_the_error_of_a_message(backend, session):
    connected(session)
    fd = opened(session)
    backend.fault("message", code=4002)
    with fails(errno.EFBIG):
        close_with(fd, "make it softer")
    session.text("timeline.txt")
    assert session.status()[""] == "failed" and "too large" in session.status()["error"]


def test_a_query_without_an_answer_is_told(backend, mount, session):
    at_rest(backend, session)
    backend.fault("state", hold=True)
    with fails(errno.ETIMEDOUT):
        session.text("state.json")
    assert "did not answer in time" in session.status()["error"]
    assert "did not answer in time" in session.history()
    other = mount.session("other")  # fails at once, for the backend as a whole is down
    for _ in range(2):
        with fails(errno.ETIMEDOUT):
            other.text("state.json")
    assert "did not answer in time" in other.status()["error"]
    assert other.history().count("did not answer in time") == 1


def test_errors_go_with_the_next_success(backend, session):
    connected(session)
    fd = opened(session)
    backend.fault("message", code=4002)
    with fails(errno.EFBIG):
        close_with(fd, "make it softer")
    backend.no_faults()
    say(session, "compose a symphony")
    session.reply()
    assert session.status()[""] == "idle" and "error" not in session.status()
    assert "too large" in session.history()
