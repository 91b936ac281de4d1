"""The program may do no more than it has to; and it does what it has to, as an ordinary user, too."""
import os
import re
import resource
import signal
from pathlib import Path

import pytest

from harness import is_mounted, run, sh, wait_for
from test_programs_users import NEEDS_ROOT, device, place, user  # noqa: F401


def status_of(pid):
    return dict(re.findall(r"^(\w+):\s*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))


def threads_of(pid):
    return [int(p.name) for p in Path(f"/proc/{pid}/task").iterdir()]


def lookout_of(mount):
    pids = (Path(f"/proc/{mount.program.pid}/task/{mount.program.pid}/children")).read_text().split()
    assert len(pids) == 1
    return int(pids[0])


def test_every_thread_is_confined(mount, session):
    session.wait_status("idle")
    for thread in threads_of(mount.program.pid):
        status = status_of(thread)
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


def test_no_core(mount, session):
    session.wait_status("idle")
    limits = Path(f"/proc/{mount.program.pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)


@NEEDS_ROOT
def test_not_to_be_looked_into(user):  # noqa: F811
    """Not by the user's own programs either; nor the lookout."""
    mount = user.mount
    for pid in (mount.program.pid, lookout_of(mount)):
        for file in ("environ", "mem", "maps"):
            assert user.sh(f"cat /proc/{pid}/{file}").returncode != 0


def test_ends_with_its_lookout(mount, session):
    """Killed, it leaves neither a process nor a mount that seems alive."""
    session.wait_status("idle")
    lookout = lookout_of(mount)
    os.kill(mount.program.pid, signal.SIGKILL)
    mount.program.wait()
    wait_for("the lookout's end", lambda: not Path(f"/proc/{lookout}").exists())
    with pytest.raises(OSError):
        os.listdir(mount.point)
    mount.start()
    # The dead mount is there until the new one is.
    wait_for("the new mount", lambda: run(["test", "-d", session]).returncode == 0)
    wait_for("the unmount", lambda: run(["fusermount3", "-u", mount.point]).returncode == 0)
    mount.finish()


def test_a_lost_lookout(backend, mount, session, media):
    """Then every close uploads, which is more than needed, and never less."""
    session.wait_status("idle")
    os.kill(lookout_of(mount), signal.SIGKILL)
    assert run(["cp", media / "clip.mp4", session.inputs]).returncode == 0
    assert [f["name"] for f in backend.files()] == ["clip.mp4"]
    session.say("status")
    assert session.reply()
    assert run(["fusermount3", "-u", mount.point]).returncode == 0
    mount.finish()


def test_a_lookout_out_of_descriptors(backend, mount, session, media):
    """It answers nothing then, and goes on when it has some again."""
    session.wait_status("idle")
    lookout = lookout_of(mount)
    limits = resource.prlimit(lookout, resource.RLIMIT_NOFILE, (4, resource.prlimit(lookout, resource.RLIMIT_NOFILE)[1]))
    assert run(["cp", media / "clip.mp4", session.inputs]).returncode == 0
    resource.prlimit(lookout, resource.RLIMIT_NOFILE, limits)
    sh(f"{{ cat {media}/voice.wav; cat {media}/voice.wav; }} > {session.inputs}/x.wav")
    assert [f["name"] for f in backend.files()] == ["clip.mp4", "x.wav"]


def use(user, media):  # noqa: F811
    said = user.does('cd "$S" && cp $MEDIA/clip.mp4 $MEDIA/voice.wav inputs/ && '
                     'echo "sync this voiceover to the speaker" > instruct && cat reply.txt', media)
    assert "output.mp4 is ready" in said


@pytest.mark.parametrize("how", ["TERM", "INT", "fusermount3 -u", "fusermount3 -u -z"])
def test_ordinary_user(user, media, how):  # noqa: F811
    """It comes up, works, and goes without the privileges that it gave up."""
    use(user, media)
    if how.startswith("fusermount3"):
        user.does(f"{how} {user.mount.point}")
    else:
        os.kill(user.mount.program.pid, getattr(signal, f"SIG{how}"))
    user.mount.finish()
    user.mount.start()
    assert user.does('ls "$S"').split().count("output.mp4") == 1


def test_ended_with_files_open(mount, session):
    """The mount point is free although the mount is busy."""
    session.wait_status("idle")
    fd = os.open(session / "status.txt", os.O_RDONLY)
    os.kill(mount.program.pid, signal.SIGTERM)
    mount.finish()
    with pytest.raises(OSError):
        os.close(fd)
    assert not is_mounted(mount.point)
    assert "unmount" not in mount.program.words()
