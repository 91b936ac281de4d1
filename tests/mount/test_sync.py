"""The job itself: the new sound is where the picture is, measured in the finished file."""
import os
from pathlib import Path

import pytest

from harness import run

DEMO = Path(__file__).parent.parent / "demo"
PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module", params=[1, 2, 3])
def material(request, tmp_path_factory):
    """A clip and a voiceover that were not started together, by an amount that is in neither."""
    where = tmp_path_factory.mktemp(f"material{request.param}")
    made = run([PYTHON, "-B", DEMO / "material.py", where, request.param], timeout=60)
    assert made.returncode == 0, made.stderr
    return where


def measured(output, material, *options):
    return run([PYTHON, "-B", DEMO / "measure.py", *options, "picture", output, material / "clip.mp4",
                material / "voiceover.wav"], timeout=60)


@pytest.mark.limit(120)
def test_within_a_frame(session, material):
    for name in ("clip.mp4", "voiceover.wav"):
        assert run(["cp", material / name, session.inputs]).returncode == 0
    session.say("sync this voiceover to the speaker")
    assert "output.mp4 is ready" in session.reply()
    done = measured(session.output, material)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.limit(120)
def test_in_chinese_with_a_title(session, material):
    for name in ("clip.mp4", "voiceover.wav"):
        assert run(["cp", material / name, session.inputs]).returncode == 0
    for words in ("请把配音和画面同步", 'add the title "Hello"'):
        session.say(words)
        assert "output.mp4 is ready" in session.reply()
    done = measured(session.output, material)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_measurement_can_fail(material, tmp_path):
    """A sound that is 100 ms late is found out."""
    late = tmp_path / "late.mp4"
    done = run(["ffmpeg", "-v", "error", "-i", material / "clip.mp4", "-itsoffset", "0.1", "-i", material / "clip.mp4",
                "-map", "0:v", "-map", "1:a", "-c", "copy", late])
    assert done.returncode == 0, done.stderr
    done = measured(late, material, "--any-length")
    assert done.returncode == 1
    assert "more than one frame apart" in done.stderr
    assert os.stat(late).st_size
