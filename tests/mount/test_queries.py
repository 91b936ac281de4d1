"""state.json, timeline.txt, credits: fresh at every open, exact, and bounded in time."""
import errno
import os
import re
import threading
import time

import pytest

from harness import run, sh, wait_for

# Nothing here is about renders.
pytestmark = pytest.mark.mount(render="manual")

QUERIES = {"state.json": "state", "timeline.txt": "state", "credits": "credits"}


def nothing_to_share(backend):
    """Queries of the same thing within a second share an answer: until that is over."""
    wait_for("a second without queries", lambda: backend.quiet(1.2))


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
    nothing_to_share(backend)
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
    nothing_to_share(backend)
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


@pytest.mark.parametrize("name", ["state.json", "timeline.txt"])
def test_a_late_answer_ends_the_failure(backend, session, name):
    """Nobody asked again, and it is the last answer now."""
    session.wait_status("idle")
    nothing_to_share(backend)
    backend.fault("state", hold=True)
    with pytest.raises(OSError) as error:
        (session / name).read_bytes()
    assert error.value.errno == errno.ETIMEDOUT
    assert session.status()[""] == "failed"
    backend.no_faults()
    session.wait_status("idle")
    assert "error" not in session.status()


@pytest.mark.parametrize("name", QUERIES)
def test_a_dead_backend(backend, session, name):
    session.wait_status("idle")
    nothing_to_share(backend)
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


# Opens state.json as libraries of file managers do: by a thread with a name of its own, of a process of this name.
SNIFFER = """
import ctypes, os, sys, threading
libc = ctypes.CDLL(None)
libc.prctl(15, sys.argv[1].encode(), 0, 0, 0)
def look():
    libc.prctl(15, b"pool", 0, 0, 0)
    print(open(sys.argv[2]).read(), end="")
thread = threading.Thread(target=look)
thread.start()
thread.join()
"""


@pytest.mark.parametrize("name", ["pcmanfm", "dolphin"])
def test_some_file_managers_are_not_asked_for(backend, edited, name):
    """Those that open what they list; of other files they get a fresh answer, as everybody does."""
    fresh = edited.text("state.json")
    nothing_to_share(backend)
    before = len(backend.requests())
    for _ in range(10):
        assert run(["/usr/bin/python3", "-c", SNIFFER, name, edited / "state.json"]).stdout == fresh
    assert len(backend.requests()) == before
    for other, file in (("pcman", "state.json"), (name, "timeline.txt")):
        nothing_to_share(backend)
        before = len(backend.requests("state"))
        assert run(["/usr/bin/python3", "-c", SNIFFER, other, edited / file]).returncode == 0
        assert len(backend.requests("state")) == before + 1


def test_kept_fresh_in_the_background(backend, edited):
    """After an edit, whoever does not ask sees what it did."""
    edited.say('add the title "Changed"')
    edited.reply()
    wait_for("the new state", lambda: b"Changed" in read_unasked(edited / "state.json"))
    wait_for("the balance", lambda: b"available 90" in read_unasked(edited / "credits"))
    assert os.stat(edited / "state.json").st_size == len(read_unasked(edited / "state.json"))


READERS = {
    "cat": "cat {}", "head": "head -c 1000000 {}", "tail": "tail -n +1 {}", "less": "less {}", "dd": "dd if={} status=none",
    "sed": "sed p -n {}", "grep": "grep '' {}", "redirection": "cat < {}", "mapfile": "echo \"$(<{})\"",
    "cp": "cp {} $T/copy; cat $T/copy", "cp -a": "cp -a {} $T/copy; cat $T/copy", "rsync": "rsync {} $T/copy; cat $T/copy",
    "tar": "tar -C $(dirname {}) -cf - $(basename {}) | tar -xOf -", "gio cat": "gio cat {}", "gio copy": "gio copy {} $T/copy; cat $T/copy",
    "python": "/usr/bin/python3 -c 'print(open(\"{}\").read(), end=\"\")'",
    "shutil": "/usr/bin/python3 -c 'import shutil; shutil.copy(\"{}\", \"'$T'/copy\")'; cat $T/copy",
    "vim": "vim -u NONE -es -c '%print' -c q {}; true", "diff": "cat {} > $T/copy; diff $T/copy {} && cat $T/copy",
}


@pytest.mark.parametrize("line", READERS.values(), ids=READERS.keys())
def test_readers_see_it_whole(edited, tmp_path, line):
    for name in QUERIES:
        whole = edited.text(name)
        assert os.stat(edited / name).st_size == len(whole.encode())
        done = sh(line.replace("{}", str(edited / name)), env={**os.environ, "T": str(tmp_path)})
        assert (done.returncode, done.stdout) == (0, whole), done.stderr
