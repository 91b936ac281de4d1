"""Readers of reply.txt: the text as it comes, to the end of the work, for everyone."""
import contextlib
import os
import re
import select
import socket
import threading
import time

import pytest

from harness import PATIENCE, Mount, ended, in_kernel_wait, run, sh, spawn, wait_for
from protocol import text, typed

SLOW = pytest.mark.usefixtures("slow")


@SLOW
def test_cat_waits_for_the_end(session):
    session.say("make it softer")
    begin = time.monotonic()
    text = session.reply()
    assert time.monotonic() - begin > 1
    assert text.strip()
    assert session.status()[""] in ("idle", "ready")
    assert session.reply() == text
    assert os.stat(session / "reply.txt").st_size == len(text.encode())


def test_before_the_first_message(session):
    session.wait_status("idle")
    assert session.reply() == ""
    assert os.stat(session / "reply.txt").st_size == 0


@SLOW
def test_everyone_reads_the_same(session):
    session.say("make it softer")
    early = spawn(f"cat {session}/reply.txt")
    with ended(early):
        wait_for("the reader to wait", lambda: in_kernel_wait(early.pid) or early.poll() is not None)
        text = session.reply()
        assert early.communicate(timeout=20)[0].decode() == text
    assert session.reply() == text


@pytest.mark.limit(120)
@SLOW
def test_a_hundred_readers(session):
    session.say("make it softer")
    readers = [spawn(f"exec cat {session}/reply.txt") for _ in range(100)]
    texts = set()
    for reader in readers:
        with ended(reader):
            texts.add(reader.communicate(timeout=30 * PATIENCE)[0])
    assert len(texts) == 1 and texts.pop().strip()


def test_a_sentence_does_not_wait_for_the_next(backend, session):
    """What has its end is there while the stream stands still; the rest comes with the stream's end."""
    events = typed(text("I moved the clip. Now the "), text("lips match"))
    backend.fault("message", events=events, stall_after=events.index("\n\n") + 2)
    session.say("make it softer")
    with open(session / "reply.txt", "rb", buffering=0) as reply:
        assert reply.read(4096) == b"I moved the clip."
        assert session.status()[""] == "working"
        backend.no_faults()
        assert reply.read(4096).decode().startswith(" Now the")


@SLOW
def test_nonblock(session):
    session.say("make it softer")
    fd = os.open(session / "reply.txt", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(BlockingIOError):
            while os.read(fd, 4096):
                pass
        session.reply()
        text = b""
        while chunk := os.read(fd, 4096):
            text += chunk
        assert text
        assert os.read(fd, 4096) == b""
    finally:
        os.close(fd)


@SLOW
@pytest.mark.parametrize("poller, events", [
    (select.poll, select.POLLIN), (select.epoll, select.EPOLLIN), (select.epoll, select.EPOLLIN | select.EPOLLET)],
    ids=["poll", "epoll", "epoll, edges"])
def test_poll(session, poller, events):
    session.say("make it softer")
    fd = os.open(session / "reply.txt", os.O_RDONLY | os.O_NONBLOCK)
    try:
        poll = poller()
        poll.register(fd, events)
        scale = 1000 if poller is select.poll else 1
        text, waited = b"", 0
        while True:
            try:
                piece = os.read(fd, 4096)
            except BlockingIOError:
                waited += 1
                ready = poll.poll(20 * PATIENCE * scale)
                assert [(f, e & select.POLLIN) for f, e in ready] == [(fd, select.POLLIN)]
                continue
            if not piece:
                break
            text += piece
        assert waited >= 2 and text.split() == [b"One.", b"Two.", b"Three."]
        wait_for("the end", lambda: session.status()[""] in ("idle", "ready"))
        assert events & select.EPOLLET or poll.poll(1 * scale)
    finally:
        os.close(fd)


@SLOW
@pytest.mark.parametrize("size", [4096, 3])
def test_poll_tells_the_truth(session, size):
    """What it calls readable is: no read after it would wait."""
    session.say("make it softer")
    fd = os.open(session / "reply.txt", os.O_RDONLY | os.O_NONBLOCK)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        text = b""
        while True:
            assert poll.poll(20000 * PATIENCE)
            piece = os.read(fd, size)
            if not piece:
                break
            text += piece
        assert text.split() == [b"One.", b"Two.", b"Three."]
    finally:
        os.close(fd)


@SLOW
def test_a_new_message_begins_a_new_reply(session):
    session.say("make it softer")
    first = session.reply()
    with open(session / "reply.txt", "rb", buffering=0) as old:
        head = old.read(5)
        session.say("make it louder, please")
        assert (head + old.read()).decode() == first
        assert old.read() == b""
    second = session.reply()
    assert second.strip()


@pytest.mark.backend("--silent", "100")
def test_silent_edit_is_told_from_the_state(session, media):
    for name in ("clip.mp4", "voice.wav"):
        run(["cp", media / name, session.inputs])
    session.say('add the title "Hello"')
    text = session.reply()
    assert "Hello" in text or "Text" in text
    assert "output.mp4 is ready" in text


def test_unknown_wish_is_answered(backend, session):
    session.say("compose a symphony")
    assert session.reply().strip()
    assert backend.requests("render") == []


@pytest.mark.parametrize("events", [pytest.param(shape, marks=pytest.mark.backend("--events", shape, "--gui", "on"))
                                    for shape in ("adk", "typed")])
def test_only_words_for_people(session, media, events):
    for name in ("clip.mp4", "voice.wav"):
        run(["cp", media / name, session.inputs])
    session.say("sync this voiceover to the speaker")
    text = session.reply()
    assert text.count("output.mp4 is ready") == 1
    for hidden in ("functionCall", "tool_call", "{", "}", "nmv_usr", "button", "panel", "Click", "click", "drag"):
        assert hidden not in text, text


def test_seek(session):
    session.say("make it softer")
    text = session.reply().encode()
    with open(session / "reply.txt", "rb") as file:
        file.seek(-4, os.SEEK_END)
        assert file.read() == text[-4:]
    assert run(["tail", "-c", "4", session / "reply.txt"]).stdout.encode() == text[-4:]
    assert run(["head", "-c", "4", session / "reply.txt"]).stdout.encode() == text[:4]


@SLOW
@pytest.mark.parametrize("command", ["cat", "head -n 1", "tail -n 1", "grep -c .", "wc -c", "tee /dev/null <", "dd status=none if="])
def test_readers(session, command):
    session.say("make it softer")
    glue = "" if command.endswith("=") else " "
    done = sh(f"{command}{glue}{session}/reply.txt")
    assert done.returncode == 0 and done.stdout.strip() not in ("", "0"), done.stderr


@SLOW
def test_tail_follows(session):
    session.say("make it softer")
    with ended(spawn(["tail", "-n", "+1", "-f", session / "reply.txt"])) as tail:
        shown = b""
        while shown.split() != [b"One.", b"Two.", b"Three."]:
            ready, _, _ = select.select([tail.stdout], [], [], 20 * PATIENCE)
            assert ready, shown
            shown += os.read(tail.stdout.fileno(), 65536)
        assert tail.poll() is None


@SLOW
@pytest.mark.mount(quiet=0.2)
def test_the_notice_of_a_quiet_backend(session):
    session.say("make it softer")
    assert "Hang on, still processing..." in session.reply()


class Relay:
    """Passes connections on to the backend, and remembers when each piece of text came by."""

    def __init__(self, port, pattern):
        self.port, self.pattern = port, re.compile(pattern)
        self.seen = {}
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.server.accept()
                backend = socket.create_connection(("127.0.0.1", self.port))
                for ends in ((client, backend), (backend, client)):
                    threading.Thread(target=self.pump, args=ends, daemon=True).start()

    def pump(self, source, target):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                now = time.monotonic()
                for word in self.pattern.findall(piece):
                    self.seen.setdefault(word, now)
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("text", ["Piece-{}. ", "Piece-{} is a line.\n"], ids=["sentences", "lines"])
def test_text_comes_within_50_ms(backend, tmp_path, text):
    """From the event on the wire to what cat shows, with others reading along."""
    relay = Relay(backend.port, rb"Piece-\d+")
    backend.answer(*(text.format(n) for n in range(100, 130)), gap_ms=40)
    mount = Mount(tmp_path, relay.url)
    shown = {}
    try:
        session = mount.session()
        session.say("make it softer")
        readers = [spawn(f"exec cat {session}/reply.txt") for _ in range(10)]
        with contextlib.ExitStack() as stack:
            for reader in readers:
                stack.enter_context(ended(reader))
            while piece := os.read(readers[0].stdout.fileno(), 65536):
                for word in relay.pattern.findall(piece):
                    shown[word] = time.monotonic()
        mount.unmount()
    finally:
        mount.destroy()
        relay.server.close()
    late = sorted(shown[word] - relay.seen[word] for word in relay.seen)
    # What had come before cat began is no measure; and a busy machine may be late now and then.
    assert len(shown) == 30 and late[24] < 0.05 * PATIENCE, late


@SLOW
def test_text_is_live(session):
    """What cat shows is there as soon as it is in the file for a reader that does not wait."""
    session.say("make it softer")
    with ended(spawn(f"exec cat {session}/reply.txt")) as cat:
        first = os.read(cat.stdout.fileno(), 65536)
        assert first
        assert (session / "reply.txt").open("rb", buffering=0).read(len(first)) == first
        cat.communicate(timeout=20)
