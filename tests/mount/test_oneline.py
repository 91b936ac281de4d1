"""The whole way as one shell line, without a pause."""
import os
from pathlib import Path

import pytest

from harness import sh, wait_for


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/dash", "/bin/zsh"])
def test_one_line(backend, mount, media, tmp_path, shell):
    done = sh(f'cd {mount.point} && mkdir take && cd take && cp {media}/clip.mp4 {media}/voice.wav inputs/ && '
              f'echo "sync this voiceover to the speaker" > instruct && cat reply.txt && '
              f'cp output.mp4 {tmp_path}/finished.mp4', shell=shell, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "output.mp4 is ready" in done.stdout
    assert backend.messages() == ["sync this voiceover to the speaker"]
    assert sh(f"ffprobe -v error {tmp_path}/finished.mp4").returncode == 0


@pytest.mark.mount(lang="zh")
def test_one_line_in_chinese(backend, mount, media, tmp_path):
    done = sh(f'cd {mount.point} && mkdir 访谈 && cd 访谈 && cp {media}/clip.mp4 {media}/voice.wav inputs/ && '
              f'echo "把配音同步到说话的人" > instruct && cat reply.txt && cp output.mp4 {tmp_path}/finished.mp4', timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout
    assert backend.messages() == ["把配音同步到说话的人"]
    assert [s["language"] for s in backend.sessions()] == ["zh"]
    assert sh(f"cat {mount.point}/访谈/timeline.txt").stdout.startswith("时间线(")


def test_two_sessions_at_once(mount, media, tmp_path):
    line = " & ".join(
        f'(mkdir {mount.point}/{n} && cp {media}/clip.mp4 {media}/voice.wav {mount.point}/{n}/inputs && '
        f'echo "sync this voiceover" > {mount.point}/{n}/instruct && cat {mount.point}/{n}/reply.txt && '
        f'cp {mount.point}/{n}/output.mp4 {tmp_path}/{n}.mp4)' for n in "abc") + " & wait"
    done = sh(line, timeout=90)
    assert done.stdout.count("output.mp4 is ready") == 3, done.stderr
    assert all((tmp_path / f"{n}.mp4").stat().st_size for n in "abc")


def readers_of_requests(mount):
    """How many threads wait in a call on the connection to the kernel."""
    process = Path(f"/proc/{mount.program.pid}")
    calls = [(task / "syscall").read_text().split() for task in (process / "task").iterdir()]
    connections = [fd.name for fd in (process / "fd").iterdir() if os.readlink(fd) == "/dev/fuse"]
    return sum(len(call) > 1 and str(int(call[1], 16)) in connections for call in calls)


@pytest.mark.mount(**{"-s": True})
def test_one_thread(backend, mount, media, tmp_path):
    """Nothing that waits may keep the only thread."""
    backend.fault("message", delay_ms=2000)
    line = (f'cd {mount.point} && mkdir take other && cd take && cp {media}/clip.mp4 {media}/voice.wav inputs/ && '
            f'{{ echo "sync this voiceover to the speaker" > instruct & cp {media}/clip.mp4 ../other/inputs; '
            f'cat status.txt; wait; cat reply.txt; cp output.mp4 {tmp_path}/finished.mp4; }}')
    done = sh(line, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("working\n")
    assert "output.mp4 is ready" in done.stdout
    assert wait_for("the only one to be at rest", lambda: readers_of_requests(mount)) == 1
