"""Midnight Commander: its left panel on the mount, its right one where the files are."""
import shutil

import pytest

from harness import PATIENCE, clean_environment, wait_for

pytest.importorskip("pyte")
from programs import copying, nothing_left  # noqa: E402
from terminal import COLUMNS, Terminal  # noqa: E402

F5, F6, F7, F8, DOWN, MARK, TAB = "\x1b5", "\x1b6", "\x1b7", "\x1b8", "\x0e", "\x14", "\t"
LEFT, RIGHT = 0, COLUMNS // 2


@pytest.fixture
def source(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    return source


@pytest.fixture
def commander(tmp_path, source, mount):
    """Starts it, with another folder in the left panel."""
    if not shutil.which("mc"):
        pytest.skip("no mc")
    terminals = []

    def commander(folder, other=source):
        terminal = Terminal(["mc", "-u", "-b", folder, other], tmp_path, clean_environment(tmp_path / "home"))
        terminals.append(terminal)
        terminal.see("10Quit", "UP--DIR")
        return terminal
    yield commander
    for terminal in terminals:
        terminal.end()


def lists(mc, column, *names):
    """Does the panel that begins in this column have them?"""
    return all(any(line[column:].startswith(f"│ {name} ") for line in mc.screen.display) for name in names)


def copy(mc, count=1):
    """The first files of the active panel into the other one."""
    mc.type(DOWN + MARK * count + F5)
    mc.see("Copy", "Follow links")
    mc.type("\n")


def test_new_folder_renamed(commander, mount, backend):
    mc = commander(mount.point)
    mc.type(F7)
    mc.see("Enter directory name")
    mc.type("New Folder\n")
    mc.see("/New Folder")
    wait_for("the session", lambda: [s["name"] for s in backend.sessions()] == ["New Folder"])
    mc.type(F6)
    mc.see("Move directory")
    mc.type(f"{mount.point}/interview\n")
    mc.see("/interview")
    mc.miss("/New Folder")
    assert {p.name for p in mount.point.iterdir()} == {"README.txt", "credits", "interview"}
    assert len(backend.requests("session")) == 1


def test_copies_in(commander, session, backend, media, source):
    for name in ("clip.mp4", "voice.wav"):
        shutil.copy(media / name, source)
    mc = commander(session.inputs)
    mc.type(TAB)
    copy(mc, 2)
    mc.wait("both in the left panel", lambda: lists(mc, LEFT, "clip.mp4", "voice.wav"))
    assert sorted(f["name"] for f in backend.files()) == ["clip.mp4", "voice.wav"]
    for file in backend.files():
        assert backend.content(file) == (media / file["name"]).read_bytes()
    assert len(backend.requests("upload")) == 2


def test_copy_is_cancelled(commander, session, backend, slow_source):
    """It asks what to do with the rest; to delete is its proposal."""
    mc = commander(session.inputs, slow_source)
    mc.type(TAB)
    copy(mc)
    copying(session.inputs)
    mc.see("Abort")
    mc.type("\x1b\x1b")
    mc.see("Incomplete file was retrieved", "Delete")
    mc.type("\n")
    mc.see("Cannot close target file", "Bad message", "Abort")
    mc.type("a")
    mc.miss("Abort")
    assert not lists(mc, LEFT, "clip.mp4")
    nothing_left(backend, session)


def test_unsupported_type(commander, session, backend, source):
    (source / "notes.txt").write_text("not for an editor of videos\n")
    mc = commander(session.inputs)
    mc.type(TAB)
    copy(mc)
    mc.see("Error", "Cannot create target file", "Operation not supported")
    assert not list(session.inputs.iterdir())
    assert not backend.requests("upload")


def test_no_credits(commander, session, backend, media, source):
    shutil.copy(media / "clip.mp4", source)
    backend.fault("upload", code=2001)
    mc = commander(session.inputs)
    mc.type(TAB)
    copy(mc)
    mc.see("Error", "Cannot close target file", "Disk quota exceeded")
    assert not backend.files()


def test_output_copied_out_and_deleted(commander, session, backend, media, source):
    for name in ("clip.mp4", "voice.wav"):
        shutil.copy(media / name, session.inputs)
    session.say("sync this voiceover to the speaker")
    session.reply()
    mc = commander(session.path)
    mc.wait("it in the left panel", lambda: lists(mc, LEFT, "output.mp4"))
    mc.type(DOWN * 5 + F5)
    mc.see('Copy file "output.mp4"')
    mc.type("\n")
    mc.wait("it in the right panel", lambda: lists(mc, RIGHT, "output.mp4"))
    assert (source / "output.mp4").read_bytes() == backend.rendered(session)
    mc.type(F8)
    mc.see("Delete file", '"output.mp4"', "Yes")
    mc.type("y")
    mc.wait("its end", lambda: not lists(mc, LEFT, "output.mp4"))
    assert not session.output.exists()


def test_listing_asks_nothing(commander, mount, session, backend, media):
    shutil.copy(media / "clip.mp4", session.inputs)
    wait_for("a quiet backend", lambda: backend.quiet(PATIENCE))
    before = len(backend.requests())
    for _ in range(10):
        for folder, entry in ((mount.point, "README.txt"), (session.path, "instruct"), (session.inputs, "clip.mp4")):
            commander(folder).see(entry)
    wait_for("a quiet backend", lambda: backend.quiet(PATIENCE))
    assert len(backend.requests()) == before
