"""Writers of `instruct`: what one program wrote is one message, and what can be known beforehand fails."""
import contextlib
import errno
import os
import signal
import threading
import time

import pytest

from harness import ended, in_kernel_wait, run, sh, spawn, wait_for
from programs import type_into

SLOW = pytest.mark.usefixtures("slow")

# Each line writes "make the music softer" to $I.
WRITERS = {
    "echo": "echo make the music softer > $I",
    "echo in dash": "dash -c 'echo make the music softer > $I'",
    "echo in zsh": "zsh -fc 'echo make the music softer > $I'",
    "echo, appending": "echo make the music softer >> $I",
    "printf": "printf 'make the music softer' > $I",
    "printf by words": "printf '%s ' make the music softer > $I",
    "a here-document": "cat > $I <<END\nmake the music softer\nEND",
    "a group": "{ echo make the; sleep 0.1; echo music softer; } > $I",
    "a subshell": "( echo make the; /bin/echo music softer ) > $I",
    "a descriptor": "exec 3> $I; echo make the >&3; /bin/true; echo music softer >&3; exec 3>&-",
    "cp": "cp $M $I",
    "cp -f": "cp -f $M $I",
    "cat": "cat $M > $I",
    "tee": "tee $I < $M > /dev/null",
    "dd": "dd if=$M of=$I status=none",
    "dd bs=1": "dd if=$M of=$I bs=1 status=none",
    "sponge-like": "awk '{ line = $0 } END { print line }' $M > $I",
    "python": "/usr/bin/python3 -c 'open(\"'$I'\", \"w\").write(\"make the music softer\\n\")'",
    "pathlib": "/usr/bin/python3 -c 'import pathlib; pathlib.Path(\"'$I'\").write_text(\"make the music softer\")'",
    "python, in pieces": "/usr/bin/python3 -uc 'f = open(\"'$I'\", \"wb\", 0); f.write(b\"make the \"); f.write(b\"music softer\"); f.close()'",
    "vim": "vim -u NONE -es -c 'normal Omake the music softer' -c wq $I < /dev/null",
    "ex": "printf '%s\\n' a 'make the music softer' . wq | ex -s $I",
    "sed w": "sed -n \"w $I\" $M",
    "install over": "cat $M | tee $I > /dev/null",
    "curl": "curl -sS file://$M -o $I",
}


@pytest.mark.parametrize("line", WRITERS.values(), ids=WRITERS.keys())
def test_writer(backend, session, tmp_path, line):
    (tmp_path / "m").write_text("make the music softer\n")
    done = sh(line, env={**os.environ, "I": str(session.instruct), "M": str(tmp_path / "m")})
    assert done.returncode == 0, done.stderr
    session.reply()
    assert [" ".join(m.split()) for m in backend.messages()] == ["make the music softer"]
    assert session.instruct.read_bytes() == b""


def test_nano(backend, session, tmp_path):
    keys = [(b"Exit", b"make the music softer\x0f"), (b"Write", b"\r"), (b"Wrote", b"\x18")]
    assert type_into(["nano", session.instruct], keys, tmp_path) == 0
    session.reply()
    assert [m.strip() for m in backend.messages()] == ["make the music softer"]


def test_vim_on_a_terminal(backend, session, tmp_path):
    keys = [(b"instruct", b"imake the music softer\x1b:wq\r")]
    assert type_into(["vim", "-u", "NONE", "-n", session.instruct], keys, tmp_path) == 0
    session.reply()
    assert [m.strip() for m in backend.messages()] == ["make the music softer"]


@pytest.mark.parametrize("text", [b"", b"\n", b"   \n\t\n", b"\xe3\x80\x80\n"])
def test_blank_messages_do_nothing(backend, session, text):
    session.instruct.write_bytes(text)
    session.wait_status("idle")
    assert backend.messages() == []


@pytest.mark.parametrize("line", [": > $I", "touch $I", "truncate -s 0 $I", "exec 3>$I; exec 3>&-"])
def test_opening_does_nothing(backend, session, line):
    assert sh(line, env={**os.environ, "I": str(session.instruct)}).returncode == 0
    assert backend.messages() == []


@pytest.mark.parametrize("text, sent", [
    ("one\n", "one"), ("one\n\n\n", "one"), ("  one", "  one"), ("one\r\n", None), ("one\ntwo\n", "one\ntwo"),
    ("日本語 ✓ 🎬\n", "日本語 ✓ 🎬"), ('say "hi" \\ back\n', 'say "hi" \\ back'), ("tab\there\n", "tab\there")])
def test_bytes_of_a_message(backend, session, text, sent):
    session.instruct.write_bytes(text.encode())
    session.reply()
    got = backend.messages()
    assert got == [sent] if sent else [g.strip() for g in got] == [text.strip()]


def test_the_longest_message(backend, session):
    text = "a long wish " * 5461 + "end."
    assert len(text) == 65536
    session.instruct.write_bytes(text.encode())
    session.reply()
    assert backend.messages() == [text]


@pytest.mark.parametrize("content, number", [(b"x" * 65537, errno.EMSGSIZE), (b"not UTF-8: \xff\n", errno.EILSEQ),
                                             (b"\xed\xa0\x80", errno.EILSEQ), (b"\xc0\xaf", errno.EILSEQ)])
def test_refused_at_write(backend, session, content, number):
    fd = os.open(session.instruct, os.O_WRONLY)
    try:
        with pytest.raises(OSError) as error:
            os.write(fd, content)
        assert error.value.errno == number
    finally:
        os.close(fd)
    assert backend.messages() == []


def test_a_character_may_be_split(backend, session):
    whole = "日本".encode()
    with open(session.instruct, "wb", buffering=0) as file:
        for byte in whole:
            file.write(bytes([byte]))
    session.reply()
    assert backend.messages() == ["日本"]


@pytest.mark.parametrize("kept, rest, sent", [
    (1, b"\x82\xac", ["€"]), (2, b"\xac", ["€"]), (3, b"!", ["€!"]), (1, b"\x82", []), (2, b"!", []), (0, b"\xac", []), (2, b"", [])])
def test_a_character_cut_by_truncation(backend, session, kept, rest, sent):
    """What is left of it counts with what comes then."""
    with contextlib.nullcontext() if sent else pytest.raises(OSError) as error:
        with open(session.instruct, "wb", buffering=0) as file:
            file.write("€".encode())
            file.truncate(kept)
            file.seek(kept)
            file.write(rest)
    assert sent or error.value.errno == errno.EILSEQ
    session.reply()
    assert backend.messages() == sent


def test_a_character_may_not_be_cut(backend, session):
    """The last byte may never come: the message is refused, and nothing is sent."""
    with pytest.raises(OSError):
        with open(session.instruct, "wb", buffering=0) as file:
            file.write("日本".encode()[:-1])
    assert backend.messages() == []


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/dash", "/bin/zsh"])
@pytest.mark.backend("--credits", "0")
def test_no_credits_is_an_error_of_echo(backend, session, shell):
    done = sh(f"echo make it softer > {session.instruct}", shell=shell)
    assert done.returncode != 0
    if shell != "/bin/dash":
        assert "quota exceeded" in done.stderr.lower()
    assert backend.messages() == []
    assert "register?bind=" in session.status()["hint"]


@pytest.mark.backend("--credits", "0")
@pytest.mark.parametrize("text", ["credits", "how many credits are remaining?", "status", "export", "积分", "导出视频"])
def test_free_commands_need_no_credits(backend, session, text):
    done = sh(f"echo '{text}' > {session.instruct} && cat {session}/reply.txt")
    assert done.stdout.strip(), done.stderr
    assert "quota" not in done.stderr
    assert backend.messages() == []


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/dash", "/bin/zsh"])
def test_no_backend_is_an_error_of_echo(backend, session, shell):
    session.wait_status("idle")
    # Queries within a second share an answer, also one from before the backend went.
    wait_for("a second without queries", lambda: backend.quiet(1.2))
    backend.stop()
    done = sh(f"echo make it softer > {session.instruct}", shell=shell)
    assert done.returncode != 0 and "onnection refused" in done.stderr


@pytest.mark.environment(NEMO_TOKEN="nmv_usr_wrong")
def test_refused_token_is_an_error_of_echo(session):
    done = sh(f"echo make it softer > {session.instruct}")
    assert done.returncode != 0 and "Permission denied" in done.stderr


def test_failed_upload_is_an_error_of_echo_once(backend, session, media):
    backend.fault("upload", code=4001)
    assert sh(f"cp {media}/clip.mp4 {session.inputs}/x.part; mv {session.inputs}/x.part {session.inputs}/x.mp4").returncode == 0
    done = sh(f"echo sync > {session.instruct}")
    assert done.returncode != 0 and "not supported" in done.stderr
    assert sh(f"echo sync > {session.instruct}").returncode == 0
    session.reply()
    assert backend.messages() == ["sync"]


@SLOW
def test_close_returns_when_the_stream_begins(backend, session):
    session.wait_status("idle")
    begin = time.monotonic()
    session.say("make it softer")
    assert time.monotonic() - begin < 1.5
    assert backend.messages() == ["make it softer"]
    assert session.status()[""] == "working"
    assert session.status()["message"] == "make it softer"
    session.reply()
    assert session.status()["message"] == "make it softer"


@pytest.mark.parametrize("rule, number", [({"code": 2001}, errno.EDQUOT), ({"status": 403}, errno.EACCES),
                                          ({"code": 4002}, errno.EFBIG)])
def test_a_refusal_is_an_error_of_close(backend, session, rule, number):
    session.wait_status("idle")
    backend.fault("message", **rule)
    fd = os.open(session.instruct, os.O_WRONLY)
    os.write(fd, b"make it softer\n")
    with pytest.raises(OSError) as error:
        os.close(fd)
    assert error.value.errno in (number, errno.EPERM)
    assert len(backend.requests("message")) == 1
    assert session.status()[""] == "failed" and session.status()["error"]


@SLOW
def test_nonblock_while_busy(backend, session):
    session.say("make it softer")
    with pytest.raises(BlockingIOError):
        os.open(session.instruct, os.O_WRONLY | os.O_NONBLOCK)
    session.reply()
    os.close(os.open(session.instruct, os.O_WRONLY | os.O_NONBLOCK))


@SLOW
def test_waiting_writers_come_in_order(backend, session):
    session.say("number 0")
    writers = []
    try:
        for number in (1, 2, 3, 4):
            writer = spawn(f"echo number {number} > {session.instruct}")
            writers.append(writer)
            wait_for(f"writer {number} to wait", lambda: in_kernel_wait(writer.pid) or writer.poll() is not None)
        for writer in writers:
            assert writer.wait(30) == 0
    finally:
        for writer in writers:
            with ended(writer):
                pass
    session.reply()
    assert backend.messages() == [f"number {n}" for n in range(5)]


@SLOW
def test_an_interrupted_wait_leaves_the_message_running(backend, session):
    session.say("the first")
    with ended(spawn(f"echo the second > {session.instruct}")) as writer:
        wait_for("the writer to wait", lambda: in_kernel_wait(writer.pid))
        os.killpg(writer.pid, signal.SIGINT)
        writer.wait(5)
    assert session.status()[""] == "working"
    session.reply()
    assert backend.messages() == ["the first"]
    assert "the first" in session.history()


def test_killed_writer_sends_nothing(backend, session):
    with ended(spawn(f"{{ echo half a mess; exec sleep 60; }} > {session.instruct}")) as writer:
        wait_for("the sleep", lambda: b"sleep" in open(f"/proc/{writer.pid}/cmdline", "rb").read())
        os.killpg(writer.pid, signal.SIGKILL)
        writer.wait(5)
    session.say("a whole one")
    session.reply()
    assert backend.messages() == ["a whole one"]


def test_messages_wait_for_their_uploads(backend, session, media):
    backend.fault("upload", hold=True)
    line = f"cp {media}/clip.mp4 {session.inputs}/x.part && mv {session.inputs}/x.part {session.inputs}/x.mp4"
    assert sh(line).returncode == 0
    with ended(spawn(f"echo use it > {session.instruct}")) as writer:
        wait_for("the writer to wait", lambda: in_kernel_wait(writer.pid))
        assert backend.messages() == []
        backend.no_faults()
        assert writer.wait(30) == 0
    assert [f["name"] for f in backend.files()] == ["x.mp4"]
    wait_for("the message", lambda: backend.messages() == ["use it"])


def test_sessions_do_not_wait_for_each_other(backend, mount, session):
    backend.fault("message", hold=True, times=1)
    other = mount.session("other")
    with ended(spawn(f"echo one > {session.instruct}")):
        wait_for("the stall", lambda: backend.held("message"))
        other.say("two")
        assert other.reply()
        backend.no_faults()


@pytest.mark.parametrize("words", ["upload {}", "Please upload {} and {}", "上传 {}"])
def test_upload_command(backend, session, media, web, words):
    urls = [f"{web}/clip.mp4", f"{web}/voice.mp3"][:words.count("{}")]
    done = sh(f"echo {words.format(*urls)} > {session.instruct}")
    assert done.returncode == 0, done.stderr
    assert sorted(f["name"] for f in backend.files()) == ["clip.mp4", "voice.mp3"][:len(urls)]
    assert backend.messages() == []
    assert session.reply().strip()


@pytest.mark.parametrize("text", ["sync the audio, then export", "make the balance of voice and music warmer",
                                  "download a beach clip from the library and use it"])
def test_edits_that_speak_of_commands(backend, session, text):
    session.say(text)
    session.reply()
    assert backend.messages() == [text]
    # The backend may not know what to do; nothing but the edit was asked for.
    assert backend.requests("render") == []


def test_two_threads_of_one_process(backend, session):
    def say(text):
        session.say(text)
    threads = [threading.Thread(target=say, args=(f"from thread {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for("all", lambda: len(backend.messages()) == 4)
    session.reply()
    assert sorted(backend.messages()) == [f"from thread {n}" for n in range(4)]


def test_history(session):
    session.say("make the music softer")
    session.reply()
    history = session.history()
    assert "make the music softer" in history
    assert any(ch.isdigit() for ch in history)
    assert run(["grep", "-c", "softer", session / "history.txt"]).returncode == 0


def write_parts(path, parts):
    """One open, one write() for each part; the errnos of the writes."""
    numbers = []
    fd = os.open(path, os.O_WRONLY)
    for part in parts:
        try:
            os.write(fd, part)
            numbers.append(0)
        except OSError as error:
            numbers.append(error.errno)
    os.close(fd)
    return numbers


def test_half_a_message_is_none(backend, session):
    assert write_parts(session.instruct, [b"make it softer\n", b"\xff", b" and louder"]) == [0, errno.EILSEQ, errno.EILSEQ]
    session.say("a whole one")
    assert backend.messages() == ["a whole one"]
