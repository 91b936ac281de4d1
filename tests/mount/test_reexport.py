"""The mount as a share: Samba re-exports it, so other systems work on it as on a folder.

A share has no open without a size and asks a server before it removes a directory. So reply.txt, read through one, is
what there was when it was opened, and sessions are forgotten on the mount itself.
"""
import os
import socket

import pytest

from harness import Program, ended, run, spawn, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a Samba server of its own")
PASSWORD = "of no use"


class Share:
    """A Samba server for the mount alone."""

    def __init__(self, directory, mount):
        self.directory = directory / "samba"
        self.directory.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        kept = "\n".join(f"{what} = {self.directory}" for what in (
            "private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir"))
        self.config = self.directory / "smb.conf"
        self.config.write_text(f"[global]\n{kept}\nserver role = standalone server\nsmb ports = {self.port}\n"
                               "interfaces = lo\nbind interfaces only = yes\nload printers = no\ndisable spoolss = yes\n"
                               f"[lipsync]\npath = {mount.point}\nread only = no\n")
        made = run(["smbpasswd", "-c", self.config, "-s", "-a", "root"], stdin=f"{PASSWORD}\n{PASSWORD}\n".encode())
        assert made.returncode == 0, made.stderr
        self.program = Program(["smbd", "-F", "--no-process-group", "-s", self.config, "--debug-stdout"],
                               dict(os.environ), directory / "samba.log")
        wait_for("the share", lambda: self.do("ls").returncode == 0)

    def client(self, *lines):
        return ["smbclient", "-p", self.port, "-U", f"root%{PASSWORD}", "//127.0.0.1/lipsync", "-c", "; ".join(lines)]

    def do(self, *lines, cwd="/"):
        return run(self.client(*lines), cwd=cwd, timeout=40)

    def says(self, *lines, cwd="/"):
        done = self.do(*lines, cwd=cwd)
        assert "NT_STATUS" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def share(tmp_path, mount):
    share = Share(tmp_path, mount)
    try:
        yield share
    finally:
        share.program.kill()


@pytest.mark.limit(120)
def test_the_whole_way(backend, mount, share, media, tmp_path):
    (tmp_path / "message").write_text("sync this voiceover to the speaker\n")
    share.says("mkdir s", f"lcd {media}", "cd s\\inputs", "put clip.mp4", "put voice.wav")
    assert {f["name"]: backend.content(f) for f in backend.files()} == {
        name: (media / name).read_bytes() for name in ("clip.mp4", "voice.wav")}
    share.says("cd s", "put message instruct", cwd=tmp_path)
    wait_for("the video", lambda: "output.mp4" in share.says("ls s\\*"), timeout=30)
    share.says("cd s", "get output.mp4", "get reply.txt", "get status.txt", "get state.json", "get credits", cwd=tmp_path)
    session = mount.point / "s"
    for name in ("output.mp4", "reply.txt", "state.json", "credits"):
        assert (tmp_path / name).read_bytes() == (session / name).read_bytes(), name
    assert (tmp_path / "status.txt").read_text().startswith("ready\n")
    share.says("rename s t")
    assert os.listdir(mount.point / "t/inputs") and not session.exists()
    assert len(backend.requests("upload")) == 2
    assert backend.messages() == ["sync this voiceover to the speaker"]


def put(media, *before):
    return [*before, f"lcd {media}", "cd s\\inputs", "put voice.wav"]


def test_a_long_upload(backend, session, share, media):
    """The client waits for it, other clients do not."""
    backend.fault("upload", hold=True)
    with ended(spawn(share.client(*put(media, "timeout 120")))) as client:
        wait_for("the upload", lambda: backend.held("upload"))
        assert "voice.wav" in share.says("ls s\\inputs\\*")
        assert "instruct" in share.says("ls s\\*")
        assert client.poll() is None
        backend.no_faults()
        assert client.wait(20) == 0, client.stdout.read()
    assert [backend.content(f) for f in backend.files()] == [(media / "voice.wav").read_bytes()]


def test_a_client_without_patience(backend, session, share, media):
    """It says that it failed; the share has the file, so the upload goes on."""
    backend.fault("upload", hold=True)
    done = share.do(*put(media, "timeout 2"))
    assert "NT_STATUS_IO_TIMEOUT" in done.stdout + done.stderr
    assert session.status()[""] == "uploading"
    backend.no_faults()
    wait_for("the upload", backend.files)
    session.wait_status("idle")
    assert [backend.content(f) for f in backend.files()] == [(media / "voice.wav").read_bytes()]
    assert len(backend.requests("upload")) == 1


@pytest.mark.parametrize("line, words", [
    ("put voice.wav s\\inputs\\notes.txt", "NT_STATUS_NOT_SUPPORTED"),
    ("put voice.wav s\\new.txt", "NT_STATUS_ACCESS_DENIED"),
    ("mkdir s\\more", "NT_STATUS_ACCESS_DENIED"),
    ("rm s\\status.txt", "NT_STATUS_ACCESS_DENIED"),
    ("put cut.mp4 s\\inputs\\cut.mp4", "NT_STATUS_"),
])
def test_refused(backend, session, share, media, tmp_path, line, words):
    for name in ("voice.wav", "clip.mp4"):
        (tmp_path / name).write_bytes((media / name).read_bytes())
    (tmp_path / "cut.mp4").write_bytes((media / "clip.mp4").read_bytes()[:100_000])
    done = share.do(line, cwd=tmp_path)
    assert words in done.stdout + done.stderr
    assert backend.files() == []
