"""mpv, told where to go while it plays output.mp4; ffplay, which needs a screen for that, is among the desktop's tests."""
import json
import os
import random
import re
import shutil
import socket

import pytest

from fixtures import FILM_S
from harness import PATIENCE, ended, error_of, spawn, wait_for

FRAME_S = 0.04
ANSWER_S = 20 * PATIENCE


class Mpv:
    """Commands and events go through its socket, a line of JSON each."""

    def __init__(self, process, path):
        self.process = process
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(ANSWER_S)
        wait_for("mpv", lambda: error_of(lambda: self.socket.connect(str(path))) == 0)
        self.lines = self.socket.makefile("r")
        self.events = []

    def next(self):
        line = self.lines.readline()
        assert line, "mpv has ended: " + self.process.stderr.read().decode()
        return json.loads(line)

    def ask(self, *command):
        self.socket.sendall(json.dumps({"command": command}).encode() + b"\n")
        while "event" in (answer := self.next()):
            self.events.append(answer["event"])
        assert answer["error"] == "success", (command, answer)
        return answer.get("data")

    def await_event(self, name):
        while name not in self.events:
            self.events.append(self.next().get("event"))
        self.events.clear()

    def at(self):
        return self.ask("get_property", "time-pos")

    def seek(self, seconds, how):
        """Where it is then; it stands still."""
        self.events.clear()
        self.ask("seek", seconds, f"{how}+exact")
        self.await_event("playback-restart")
        return self.at()

    def plays_on(self):
        self.ask("set_property", "pause", False)
        before = self.at()
        wait_for("it to play on", lambda: self.at() > before + 5 * FRAME_S)
        self.ask("set_property", "pause", True)


@pytest.fixture
def mpv(film, tmp_path):
    if not shutil.which("mpv"):
        pytest.skip("no mpv")
    path = tmp_path / "mpv"
    # Without a cache it reads anew wherever it goes.
    argv = ["mpv", "--no-config", "--no-terminal", "--pause", "--vo=null", "--ao=null", "--cache=no", "--demuxer-seekable-cache=no",
            "--demuxer-max-back-bytes=0", f"--log-file={tmp_path}/mpv.log", f"--input-ipc-server={path}", film.output]
    with ended(spawn(argv)) as process:
        mpv = Mpv(process, path)
        mpv.await_event("playback-restart")
        yield mpv
        mpv.socket.close()
    # The one that it finds in itself is none.
    errors = re.findall(r"^\[[^]]*\]\[[ef]\](?!\[ao/null\]).*", (tmp_path / "mpv.log").read_text(), re.MULTILINE)
    assert not errors


def test_mpv_seeks(mpv):
    assert abs(mpv.ask("get_property", "duration") - FILM_S) <= 2 * FRAME_S
    mpv.plays_on()
    for seconds in (20, 3, 24, 0, 12.4):
        assert abs(mpv.seek(seconds, "absolute") - seconds) <= FRAME_S
        mpv.plays_on()
    for step in (5, -10, 8, -3):
        before = mpv.at()
        assert abs(mpv.seek(step, "relative") - before - step) <= FRAME_S
        mpv.plays_on()
    assert abs(mpv.seek(80, "absolute-percent") - 0.8 * FILM_S) <= 2 * FRAME_S
    mpv.plays_on()
    mpv.ask("set_property", "pause", False)
    mpv.ask("seek", -1, "absolute")
    mpv.await_event("end-file")


def test_mpv_seeks_in_what_it_opened(mpv, film):
    """While output.mp4 goes, and after another one came."""
    film.say("trim to 10 s")
    for seconds in (22, 2, 17):
        assert abs(mpv.seek(seconds, "absolute") - seconds) <= FRAME_S
    assert "output.mp4 is ready (0:10" in film.reply()
    for seconds in (4, 23, 15):
        assert abs(mpv.seek(seconds, "absolute") - seconds) <= FRAME_S
        mpv.plays_on()


def test_reader_seeks_in_what_it_opened(film):
    """To the byte, while the output goes, while there is none, and when another one came."""
    chance = random.Random(1)

    def seeks_well():
        for at in (chance.randrange(len(content)) for _ in range(50)):
            file.seek(at)
            assert file.read(5000) == content[at:at + 5000]
    with open(film.output, "rb") as file:
        content = file.read()
        for seconds in (20, 15):
            film.say(f"trim to {seconds} s")
            seeks_well()
            assert f"output.mp4 is ready (0:{seconds}" in film.reply()
            seeks_well()
    assert film.output.read_bytes() != content
