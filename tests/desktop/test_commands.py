"""The copying code of GNOME's and of KDE's file managers, by their command lines."""
import shutil

import pytest

from harness import PATIENCE, clean_environment, run, wait_for
from programs import nothing_left


class Gio:
    program = "gio"
    copy, remove, list = ("gio", "copy"), ("gio", "remove"), ("gio", "list")
    unsupported, no_credits, not_permitted = "Operation not supported", "Disk quota exceeded", "Operation not permitted"

    @staticmethod
    def make(folder, _):
        return [("gio", "mkdir", folder)]

    @staticmethod
    def rename(folder, name):
        return "gio", "rename", folder, name


class Kio:
    """KIO tells no reasons: "Could not write to" for every one of them."""
    program = "kioclient5"
    base = "kioclient5", "--noninteractive"
    copy, remove, list = (*base, "copy"), (*base, "remove"), (*base, "ls")
    unsupported, no_credits, not_permitted = "Could not write to", "Could not write to", "Access denied to"

    @staticmethod
    def make(folder, scratch):
        """It has no command for that, but copies folders."""
        (scratch / folder.name).mkdir()
        return [(*Kio.copy, scratch / folder.name, folder.parent)]

    @staticmethod
    def rename(folder, name):
        return *Kio.base, "move", folder, folder.with_name(name)


@pytest.fixture(params=[Gio, Kio], ids=lambda manager: manager.program)
def manager(request):
    if not shutil.which(request.param.program):
        pytest.skip(f"no {request.param.program}")
    return request.param


@pytest.fixture
def call(tmp_path, runtime):
    """Neither a screen nor a session bus."""
    env = clean_environment(tmp_path / "home")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"):
        env.pop(name, None)
    env.update(XDG_RUNTIME_DIR=runtime, QT_QPA_PLATFORM="offscreen", KDE_FORK_SLAVES="1")

    def call(*argv):
        return run(argv, cwd=tmp_path, env=env)
    return call


def done(result):
    assert result.returncode == 0, result


def refused(result, words):
    assert result.returncode == 1 and words in result.stderr, result


def test_new_folder_renamed(manager, call, mount, backend, tmp_path):
    folder = mount.point / "New Folder"
    for line in manager.make(folder, tmp_path):
        done(call(*line))
    wait_for("the session", lambda: [s["name"] for s in backend.sessions()] == ["New Folder"])
    done(call(*manager.rename(folder, "interview")))
    assert {p.name for p in mount.point.iterdir()} == {"README.txt", "credits", "interview"}
    assert len(backend.requests("session")) == 1


def test_copies_in_and_out(manager, call, session, backend, media, tmp_path):
    done(call(*manager.copy, media / "clip.mp4", media / "voice.wav", session.inputs))
    assert sorted(f["name"] for f in backend.files()) == ["clip.mp4", "voice.wav"]
    for file in backend.files():
        assert backend.content(file) == (media / file["name"]).read_bytes()
    assert len(backend.requests("upload")) == 2
    session.say("sync this voiceover to the speaker")
    session.reply()
    done(call(*manager.copy, session.output, tmp_path))
    assert (tmp_path / "output.mp4").read_bytes() == backend.rendered(session)
    done(call(*manager.remove, session.output))
    assert not session.output.exists()
    refused(call(*manager.remove, session.inputs / "clip.mp4"), manager.not_permitted)
    assert (session.inputs / "clip.mp4").exists()


def test_unsupported_type(manager, call, session, backend, tmp_path):
    (tmp_path / "notes.txt").write_text("not for an editor of videos\n")
    refused(call(*manager.copy, tmp_path / "notes.txt", session.inputs), manager.unsupported)
    assert not list(session.inputs.iterdir())
    assert not backend.requests("upload")


def test_no_credits(manager, call, session, backend, media):
    backend.fault("upload", code=2001)
    refused(call(*manager.copy, media / "clip.mp4", session.inputs), manager.no_credits)
    assert not backend.files()
    status = session.status()
    assert "credits" in status["error"] + status["hint"], status


CANCELLED = """
import sys
from gi.repository import Gio
source, target = (Gio.File.new_for_path(path) for path in sys.argv[1:])
cancellable = Gio.Cancellable()
try:
    source.copy(target, Gio.FileCopyFlags.NONE, cancellable, lambda done, total, user: cancellable.cancel(), None)
except Exception as error:
    sys.exit("cancelled" if cancellable.is_cancelled() else str(error))
"""


def test_copy_is_cancelled_in_glib(call, session, backend, slow_source):
    """As in the window of a file manager: what it has of the file is closed, and stays where it is."""
    result = call("/usr/bin/python3", "-c", CANCELLED, slow_source / "clip.mp4", session.inputs / "clip.mp4")
    assert result.returncode == 1 and "cancelled" in result.stderr, result
    assert any("cut short" in line for line in session.history().splitlines())
    nothing_left(backend, session)


def test_listing_asks_nothing(manager, call, mount, session, backend, media):
    shutil.copy(media / "clip.mp4", session.inputs)
    wait_for("a quiet backend", lambda: backend.quiet(PATIENCE))
    before = len(backend.requests())
    for _ in range(10):
        for folder in (mount.point, session.path, session.inputs):
            assert set(call(*manager.list, folder).stdout.split()) - {".", ".."} == {
                p.name for p in folder.iterdir()}
    wait_for("a quiet backend", lambda: backend.quiet(PATIENCE))
    assert len(backend.requests()) == before


@pytest.mark.skipif(not shutil.which("gio"), reason="no gio")
def test_trash_is_refused(call, mount, session, backend, media):
    """A trash folder in the root would be a session."""
    shutil.copy(media / "clip.mp4", session.inputs)
    for thing in (session.inputs / "clip.mp4", session.path):
        refused(call("gio", "trash", thing), "Unable to find or create trash directory")
        assert thing.exists()
    assert {p.name for p in mount.point.iterdir()} == {"README.txt", "credits", "s"}
    assert [s["name"] for s in backend.sessions()] == ["s"]
