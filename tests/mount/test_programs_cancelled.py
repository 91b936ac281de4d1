"""Copies that are cancelled in the middle: nothing is uploaded, and nothing is left but what can be gone on with."""
import os
import signal

import pytest

from harness import ended, run, spawn, wait_for
from programs import copying, nothing_left, uploads_ended

# Some are ended by the signal; others catch it and close, or remove, what they have.
COPIERS = {
    "cp": "cp $CLIP inputs",
    "cp -a": "cp -a $CLIP inputs",
    "install": "install $CLIP inputs",
    "mv": "mv $CLIP inputs",
    "cat": "cat $CLIP > inputs/clip.mp4",
    "dd": "dd if=$CLIP of=inputs/clip.mp4 bs=64k status=none",
    "rsync": "rsync $CLIP inputs",
    "rsync --inplace": "rsync --inplace $CLIP inputs",
    "tar x": "tar -C $(dirname $CLIP) -c clip.mp4 | tar -C inputs -x",
    "curl": "curl -s file://$CLIP -o inputs/clip.mp4",
    "sftp": "echo put $CLIP inputs | sftp -q -b - -D /usr/lib/openssh/sftp-server",
    "shutil.copy": "/usr/bin/python3 -c 'import shutil, sys; shutil.copy(sys.argv[1], \"inputs\")' $CLIP",
    "gio copy": "gio copy $CLIP inputs",
}


# These close what they have and would go on with it, so it stays until then.
KEEPERS = {("dd", signal.SIGINT), ("rsync --inplace", signal.SIGINT), ("rsync --inplace", signal.SIGTERM),
           ("sftp", signal.SIGINT), ("shutil.copy", signal.SIGINT)}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", COPIERS)
def test_cancelled(backend, session, slow_source, name, how):
    with ended(spawn(COPIERS[name], cwd=session.path, env={**os.environ, "CLIP": str(slow_source / "clip.mp4")})) as copier:
        copying(session.inputs)
        os.killpg(copier.pid, how)
        copier.wait(20)
    if (name, how) in KEEPERS:
        wait_for("it to be marked", lambda: "clip.mp4 failed" in session.status().get("upload", ""))
        assert run(["rm", session.inputs / "clip.mp4"]).returncode == 0
    nothing_left(backend, session)
    assert (slow_source / "clip.mp4").exists()


def test_partial_file_that_rsync_keeps(backend, session, slow_source, media):
    """It asked for that: the file stays, under its final name, but only whole it goes to the backend."""
    with ended(spawn(["rsync", "--partial", slow_source / "clip.mp4", session.inputs])) as copier:
        copying(session.inputs)
        os.killpg(copier.pid, signal.SIGINT)
        copier.wait(20)
    assert os.listdir(session.inputs) == ["clip.mp4"]
    assert "clip.mp4 failed" in session.status()["upload"]
    with pytest.raises(OSError):
        uploads_ended(session)
    assert backend.requests("upload") == []
    assert run(["rsync", "--partial", media / "clip.mp4", session.inputs]).returncode == 0
    uploads_ended(session)
    assert [backend.content(file) for file in backend.files()] == [(media / "clip.mp4").read_bytes()]
    assert session.status()[""] == "idle"


def test_cancelled_replacement(backend, session, slow_source, media):
    """The backend keeps what it has; here the rest can be written."""
    assert run(["cp", media / "clip.mp4", session.inputs]).returncode == 0
    size = os.stat(media / "clip.mp4").st_size
    with ended(spawn(["dd", f"if={slow_source}/clip.mp4", f"of={session.inputs}/clip.mp4", "bs=64k"])) as copier:
        wait_for("some of the file", lambda: 0 < os.stat(session.inputs / "clip.mp4").st_size != size)
        copier.send_signal(signal.SIGINT)
        copier.wait(20)
    assert "clip.mp4 failed" in session.status()["upload"]
    assert len(backend.requests("upload")) == 1
    assert run(["cp", media / "clip.mp4", session.inputs]).returncode == 0
    assert len(backend.requests("upload")) == 2
