"""state.json, timeline.txt, credits: fresh at every open, exact, and bounded in time."""
import errno
import os
import re
import threading
import time

import pytest

from harness import run, wait_for

QUERIES = {"state.json": "state", "timeline.txt": "state", "credits": "credits"}


def read_unasked(path):
    fd = os.open(path, os.O_RDONLY | os.O_NOATIME)
    try:
        return os.read(fd, 1 << 20)
    finally:
        os.close(fd)


@pytest.fixture
def edited(backend, session, media):
    """A session with a clip and a voice in its timeline, at rest."""
    for name in ("clip.mp4", "voice.wav"):
        assert run(["cp", media / name, session.inputs]).returncode == 0
    session.say("sync this voiceover to the speaker")
    session.reply()
    session.wait_status("ready", timeout=60)
    wait_for("the last queries", backend.quiet)
    return session


def test_state_byte_for_byte(backend, edited):
    text = (edited / "state.json").read_bytes()
    assert text.endswith(b"\n")
    assert text[:-1] in backend.raw_state(edited)
    assert text[:1] == b"{" and text[-2:-1] == b"}"
    assert run(["jq", "-e", ".draft.t", edited / "state.json"]).returncode == 0


def test_timeline(edited):
    lines = edited.text("timeline.txt").splitlines()
    assert re.fullmatch(r"Timeline \(\d+ tracks?\):", lines[0])
    assert int(re.search(r"\d+", lines[0])[0]) == len(lines) - 1
    for number, line in enumerate(lines[1:], 1):
        assert re.fullmatch(rf"{number}\. (Video|Audio|Text|Track): .+ \([\d.]+-[\d.]+s\)(, .*)?", line), line
    assert any("clip" in line for line in lines if "Video" in line)
    assert any("voice" in line for line in lines if "Audio" in line)


def test_credits(mount, edited):
    for path in (mount.point / "credits", edited / "credits"):
        lines = path.read_text().splitlines()
        assert [line.split()[0] for line in lines] == ["available", "frozen", "total"]
        assert all(re.fullmatch(r"[a-z]+ \d+", line) for line in lines)
    assert lines[0] == "available 95"


def test_empty_timeline(session):
    session.wait_status("idle")
    assert session.text("timeline.txt").startswith("Timeline (0 tracks)")


@pytest.mark.parametrize("name", QUERIES)
def test_each_open_asks(backend, edited, name):
    before = len(backend.requests(QUERIES[name]))
    (edited / name).read_bytes()
    assert len(backend.requests(QUERIES[name])) == before + 1


@pytest.mark.parametrize("name", QUERIES)
def test_opens_at_once_share_an_answer(backend, edited, name):
    before = len(backend.requests(QUERIES[name]))
    threads = [threading.Thread(target=(edited / name).read_bytes) for _ in range(20)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.monotonic() - begin
    assert 1 <= len(backend.requests(QUERIES[name])) - before <= 1 + int(elapsed)


@pytest.mark.parametrize("name", QUERIES)
def test_an_open_file_does_not_change(backend, edited, name):
    with open(edited / name, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(3)
        edited.say('add the title "Changed"')
        edited.reply()
        (edited / name).read_bytes()
        rest = file.read()
        assert len(head + rest) == size
        file.seek(0)
        assert file.read() == head + rest


@pytest.mark.parametrize("name", QUERIES)
def test_no_answer_in_three_seconds(backend, session, name):
    session.wait_status("idle")
    wait_for("the first queries", backend.quiet)
    size = os.stat(session / name).st_size
    backend.fault(QUERIES[name], hold=True)
    begin = time.monotonic()
    with pytest.raises(OSError) as error:
        (session / name).read_bytes()
    elapsed = time.monotonic() - begin
    assert error.value.errno == errno.ETIMEDOUT
    assert 2.5 < elapsed < 4.5
    # While the backend does not answer: at once.
    begin = time.monotonic()
    with pytest.raises(OSError) as error:
        (session / name).read_bytes()
    assert time.monotonic() - begin < 0.5
    assert os.stat(session / name).st_size == size
    backend.no_faults()
    wait_for("the recovery", lambda: run(["cat", session / name]).returncode == 0, timeout=10)


@pytest.mark.parametrize("name", QUERIES)
def test_a_dead_backend(backend, session, name):
    session.wait_status("idle")
    wait_for("the first queries", backend.quiet)
    backend.stop()
    with pytest.raises(OSError) as error:
        (session / name).read_bytes()
    assert error.value.errno == errno.ECONNREFUSED
    backend.start()
    begin = time.monotonic()
    wait_for("the recovery", lambda: run(["cat", session / name]).returncode == 0, timeout=10)
    assert time.monotonic() - begin < 8


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("rule, number", [({"status": 429}, errno.EAGAIN), ({"status": 500}, errno.EREMOTEIO),
                                          ({"garbage": True}, errno.EPROTO)])
def test_errors_are_of_open(backend, edited, name, rule, number):
    backend.fault(QUERIES[name], **rule)
    with pytest.raises(OSError) as error:
        os.open(edited / name, os.O_RDONLY)
    assert error.value.errno == number
    assert read_unasked(edited / name)


@pytest.mark.parametrize("name", QUERIES)
def test_noatime_is_not_asked(backend, edited, name):
    fresh = (edited / name).read_bytes()
    wait_for("the last queries", backend.quiet)
    before = len(backend.requests())
    assert read_unasked(edited / name) == fresh
    assert len(backend.requests()) == before


@pytest.mark.parametrize("name", QUERIES)
def test_noatime_before_any_answer(backend, mount, name):
    backend.fault("*", hold=True)
    session = mount.session()
    begin = time.monotonic()
    assert read_unasked(session / name) == b""
    assert time.monotonic() - begin < 1
    backend.no_faults()


def test_kept_fresh_in_the_background(backend, edited):
    """After an edit, whoever does not ask sees what it did."""
    edited.say('add the title "Changed"')
    edited.reply()
    wait_for("the new state", lambda: b"Changed" in read_unasked(edited / "state.json"))
    wait_for("the balance", lambda: b"available 90" in read_unasked(edited / "credits"))
    assert os.stat(edited / "state.json").st_size == len(read_unasked(edited / "state.json"))


@pytest.mark.parametrize("reader", ["cat", "head -c 100000", "wc -c <", "grep -c ''", "sha256sum", "tail -n +1",
                                    "cp -v --target-directory=$TMP", "rsync -v", "tar -cf /dev/null", "less", "diff /dev/null"])
@pytest.mark.parametrize("name", QUERIES)
def test_readers_see_it_whole(edited, tmp_path, reader, name):
    whole = (edited / name).read_bytes()
    if reader.startswith("cp"):
        assert run(["cp", edited / name, tmp_path / "copy"]).returncode == 0
        assert (tmp_path / "copy").read_bytes() == whole
    elif reader.startswith("rsync"):
        assert run(["rsync", edited / name, tmp_path / "copy"]).returncode == 0
        assert (tmp_path / "copy").read_bytes() == whole
    elif reader.startswith("tar"):
        assert run(["tar", "-C", edited.path, "-cf", tmp_path / "t.tar", name]).returncode == 0
        assert run(["tar", "-xOf", tmp_path / "t.tar"]).stdout.encode() == whole
    elif reader.startswith("diff"):
        (tmp_path / "copy").write_bytes(whole)
        assert run(["diff", tmp_path / "copy", edited / name]).returncode == 0
    else:
        done = run(["bash", "-c", f"{reader} {edited / name}"])
        assert done.returncode == 0 and done.stdout
        if reader in ("cat", "less", "tail -n +1", "head -c 100000"):
            assert done.stdout.encode() == whole
        if reader.startswith("wc"):
            assert int(done.stdout.split()[0]) == len(whole)
