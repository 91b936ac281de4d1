"""scripts/demo: to its end, with given files, and interrupted anywhere."""
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPT = HERE.parent.parent / "scripts/demo"
sys.path.insert(0, str(HERE.parent / "mount"))

import media as media_files  # noqa: E402 (after the path is set)


def start(tmp_path, *arguments):
    (tmp_path / "tmp").mkdir()
    env = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    return subprocess.Popen([SCRIPT, *map(str, arguments)], cwd=tmp_path, env=env, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def left_behind(tmp_path):
    """Processes that carry the demonstration's own temporary directory in their arguments, files, mounts."""
    mark = str(tmp_path / "tmp").encode()
    found = [str(p) for p in (tmp_path / "tmp").iterdir()]
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark in (process / "cmdline").read_bytes():
                found.append((process / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            pass
    return found + [line for line in open("/proc/self/mountinfo") if mark.decode() in line]


def finish(process, tmp_path):
    text = process.communicate(timeout=300)[0].decode()
    assert process.returncode == 0, text
    assert left_behind(tmp_path) == []
    return text


def codecs(path):
    probe = subprocess.run(["ffprobe", "-v", "error", "-of", "json", "-show_streams", path], check=True,
                           stdout=subprocess.PIPE)
    return sorted(s["codec_name"] for s in json.loads(probe.stdout)["streams"])


@pytest.mark.parametrize("options", [[], ["--events", "typed"], ["--render-shape", "data"]], ids=["plain", "typed", "data"])
def test_whole(tmp_path, options):
    text = finish(start(tmp_path, "--", *options), tmp_path)
    frames = float(re.search(r"sync: .*\(([+-][\d.]+) frames\)", text)[1])
    assert abs(frames) < 1
    assert codecs(tmp_path / "output.mp4") == ["aac", "h264"]


def test_given_files(tmp_path):
    media = media_files.directory()
    text = finish(start(tmp_path, media / "clip.mov", media / "voice.mp3", "match the audio to the lips"), tmp_path)
    frames = float(re.search(r"sync: .*\(([+-][\d.]+) frames\)", text)[1])
    assert abs(frames) < 1
    assert codecs(tmp_path / "output.mp4") == ["aac", "h264"]


@pytest.mark.parametrize("arguments", [["one.mp4"], ["a", "b", "c", "d"], ["/nonexistent.mp4", "/nonexistent.wav"]])
def test_given_nonsense(tmp_path, arguments):
    process = start(tmp_path, *arguments)
    assert process.wait(30) in (1, 2)
    process.stdout.close()
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", ["Setting up", "Making", "Starting", "Editing", "cp '", "echo", "cat reply.txt", "Measuring"])
def test_interrupted(tmp_path, after, how):
    process = start(tmp_path)
    for line in process.stdout:
        if after in line.decode():
            break
    begin = time.monotonic()
    process.send_signal(how)
    process.stdout.read()
    assert process.wait(60) == 128 + how
    assert time.monotonic() - begin < 20
    process.stdout.close()
    assert left_behind(tmp_path) == []
