"""The token is in the token file, and nowhere else."""
import os
import stat
from pathlib import Path

import pytest

from harness import Session, run, wait_for


def files_with(word, *directories):
    found = set()
    for directory in directories:
        for root, _, names in os.walk(directory):
            for name in names:
                path = Path(root) / name
                if path.is_file() and word in path.read_bytes():
                    found.add(path)
    return found


def use(session, media):
    for name in ("clip.mp4", "voice.wav"):
        assert run(["cp", media / name, session.inputs]).returncode == 0
    for words in ("sync this voiceover to the speaker", "status", "credits", "export"):
        session.say(words)
        session.reply()
    for name in ("state.json", "timeline.txt", "credits"):
        session.text(name)


def everywhere(mount):
    return (mount.state, mount.cache, mount.point, mount.directory / "home")


def test_anonymous_token(backend, mount, session, media):
    use(session, media)
    tokens = backend.tokens()
    assert len(tokens) == 1
    found = files_with(tokens[0].encode(), *everywhere(mount))
    assert len(found) == 1 and next(iter(found)).is_relative_to(mount.state)
    assert stat.S_IMODE(os.stat(found.pop()).st_mode) == 0o600
    assert tokens[0] not in mount.program.words()
    assert tokens[0].encode() not in Path(f"/proc/{mount.program.pid}/environ").read_bytes()


@pytest.mark.backend("--token", "nmv_usr_mine_and_secret")
@pytest.mark.environment(NEMO_TOKEN="nmv_usr_mine_and_secret")
def test_given_token(backend, mount, session, media):
    use(session, media)
    assert files_with(b"nmv_usr_mine_and_secret", *everywhere(mount)) == set()
    assert "nmv_usr_mine_and_secret" not in mount.program.words()
    children = Path(f"/proc/{mount.program.pid}/task/{mount.program.pid}/children").read_text().split()
    assert children
    for pid in (mount.program.pid, *children):
        for file in ("environ", "cmdline"):
            assert b"nmv_usr_mine_and_secret" not in Path(f"/proc/{pid}/{file}").read_bytes()
    assert backend.requests("token") == []


def test_headers_of_every_request(backend, session, media):
    use(session, media)
    tokens = backend.tokens()
    for request in backend.requests():
        assert request["headers"]["x-skill-source"] == "lipsyncvideo-ai"
        assert request["headers"]["x-skill-version"] == "1.0.1"
        assert request["headers"]["x-skill-platform"] == "unknown"
        assert tokens[0] not in request["path"]


def test_client_id_is_shared_and_kept(backend, mount, session):
    session.wait_status("idle")
    path = mount.directory / "home/.config/nemovideo/client_id"
    client_id = path.read_text().strip()
    mount.unmount()
    for root, _, names in os.walk(mount.state):
        for name in names:
            if backend.tokens()[0].encode() in (Path(root) / name).read_bytes():
                os.unlink(Path(root) / name)
    mount.start()
    mount.session("b")
    wait_for("a new token", lambda: len(backend.requests("token")) == 2)
    assert path.read_text().strip() == client_id
    assert [r["headers"]["x-client-id"] for r in backend.requests("token")] == [client_id] * 2


@pytest.mark.environment(NEMO_CLIENT_ID="0b1f9d3e-6a3c-4d2e-9b61-2f7f6f1f0c11", SKILL_SOURCE="testing")
def test_environment(backend, mount, session):
    session.wait_status("idle")
    request = backend.requests("token")[0]
    assert request["headers"]["x-client-id"] == "0b1f9d3e-6a3c-4d2e-9b61-2f7f6f1f0c11"
    assert request["headers"]["x-skill-platform"] == "testing"
    assert not (mount.directory / "home/.config/nemovideo/client_id").exists()


# ---- what somebody else might have put there ----

def starts(mount):
    """Its exit status, and what it said, if it does not start."""
    try:
        mount.start()
    except AssertionError:
        return mount.program.process.returncode, mount.program.words()
    return 0, ""


@pytest.fixture
def at_rest(mount, session):
    session.wait_status("idle")
    wait_for("the unmount", lambda: run(["fusermount3", "-u", mount.point]).returncode == 0)
    mount.finish()
    return mount


@pytest.mark.parametrize("which", ["state", "cache", "state/sessions", "state/removed"])
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_directories_that_others_may_write(at_rest, which, mode):
    path = at_rest.directory / which
    os.chmod(path, mode)
    status, words = starts(at_rest)
    assert status == 1 and "nobody else may write there" in words
    os.chmod(path, 0o700)
    at_rest.start()
    Session(at_rest.point / "s").wait_status("idle")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("which", ["state", "cache"])
def test_directories_of_others(at_rest, which):
    path = at_rest.directory / which
    os.chown(path, 65534, 65534)
    status, words = starts(at_rest)
    assert status == 1 and "it must belong to you" in words


def record_of(mount):
    return next((mount.state / "sessions").glob("*/session.json"))


@pytest.mark.parametrize("part", ["folder", "record"])
def test_records_that_others_may_write(at_rest, part):
    """Left alone, as what cannot be read is."""
    path = record_of(at_rest)
    path = path.parent if part == "folder" else path
    mode = stat.S_IMODE(path.stat().st_mode)
    os.chmod(path, mode | 0o020)
    at_rest.start()
    assert "s" not in os.listdir(at_rest.point)
    assert "cannot be read and is left alone" in at_rest.program.words()
    at_rest.unmount()
    os.chmod(path, mode)
    at_rest.start()
    assert "s" in os.listdir(at_rest.point)


@pytest.mark.parametrize("how", ["link", "writable", "owner"])
def test_a_token_that_others_may_have_put_there(at_rest, how):
    """It would send what is said here to their account."""
    path = at_rest.state / "token"
    if how == "link":
        path.rename(at_rest.directory / "planted")
        path.symlink_to(at_rest.directory / "planted")
    elif how == "writable":
        os.chmod(path, 0o666)
    elif os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    else:
        pytest.skip("needs root")
    status, words = starts(at_rest)
    assert status == 1 and "token: it must belong to you" in words
