"""A file manager with windows, used as a person does; and the tests that each of them takes what it can of."""
import os
import shutil
import time

import pytest

from desktop import alive, applications, listed, press, shown, window
from harness import PATIENCE, wait_for
from programs import copying, nothing_left

PATIENCE_S = 40


class Manager:
    command = ()
    name = None  # among the applications
    stop = "Stop"  # the button that cancels a copy
    new_folder, proposed = "ctrl+shift+n", "New Folder"
    unsupported, no_credits = "Operation not supported", "Disk quota exceeded"  # of its error dialogs
    deletes = "permanently delete"  # of the question before it

    def __init__(self, desktop, folder):
        if not shutil.which(self.command[0]):
            pytest.skip(f"no {self.command[0]}")
        self.desktop = desktop
        self.processes = []
        self.here = None
        self.go(folder)

    def find(self, look, *what):
        """A second window may be a second process."""
        return any(look(a, *what) for a in applications() if alive(a.get_name) == self.name)

    def lists(self, name):
        return self.find(listed, self.here, name)

    def title(self, folder):
        return folder.name

    def go(self, folder):
        """In another window: completion in a location bar may take the Return for itself."""
        self.folder = folder
        self.processes.append(self.desktop.start(*self.command, folder))
        self.here = self.title(folder)
        self.window(self.here)

    def wait(self, what, predicate):
        return wait_for(what, predicate, PATIENCE_S)

    def window(self, title):
        self.wait(f"the window {title!r}", lambda: self.find(window, title))

    def see(self, *names):
        for name in names:
            self.wait(f"{name} in the listing", lambda: self.lists(name))

    def miss(self, name):
        self.wait(f"{name} gone from the listing", lambda: not self.lists(name))

    def says(self, words):
        self.wait(f"the words {words!r}", lambda: self.find(shown, words))

    def copy(self, source, inputs):
        """All that is in one folder into the other."""
        self.go(source)
        self.see(*(p.name for p in source.iterdir()))
        self.desktop.keys("ctrl+a", "ctrl+c")
        self.go(inputs)
        self.desktop.keys("ctrl+v")

    def select(self, name):
        """Of what the window lists; by its first letters."""
        self.see(name)
        self.desktop.type(name[:6])
        self.desktop.keys("Escape")

    def cancel(self):
        """The copy that is under way."""
        self.wait("a button to cancel it", lambda: any(press(a, self.stop) for a in applications()))

    def make_folder(self):
        """With the name that it proposes."""
        self.desktop.keys(self.new_folder)
        self.wait("the dialog", lambda: self.find(shown, self.proposed))
        self.desktop.keys("Return")

    def rename(self, old, new):
        self.select(old)
        self.desktop.keys("F2", "ctrl+a")
        self.desktop.type(new)
        self.desktop.keys("Return")

    def delete(self, name, words):
        """For good; it asks before it does, with these words."""
        self.select(name)
        self.desktop.keys("shift+Delete")
        self.says(words)
        self.desktop.keys("Return")

    def copy_one(self, name, target):
        self.select(name)
        self.desktop.keys("ctrl+c")
        self.go(target)
        self.desktop.keys("ctrl+v")

    def open(self, name):
        self.select(name)
        self.desktop.keys("Return")

    def end(self):
        for process in self.processes:
            process.terminate()
            process.wait()
        self.wait(f"the end of {self.name}", lambda: not any(alive(a.get_name) == self.name for a in applications()))


def folder_of(where, *files):
    where.mkdir()
    for file in files:
        shutil.copy(file, where)
    return where


def test_copies_in(manager, session, backend, media, tmp_path):
    names = ["clip.mp4", "voice.wav"]
    manager.copy(folder_of(tmp_path / "source", *(media / name for name in names)), session.inputs)
    manager.see(*names)
    manager.wait("both uploads", lambda: sorted(f["name"] for f in backend.files()) == names)
    for file in backend.files():
        assert backend.content(file) == (media / file["name"]).read_bytes()
    assert len(backend.requests("upload")) == 2


def test_unsupported_type(manager, session, backend, tmp_path):
    (tmp_path / "notes.txt").write_text("not for an editor of videos\n")
    manager.copy(folder_of(tmp_path / "source", tmp_path / "notes.txt"), session.inputs)
    manager.says(manager.unsupported)
    manager.desktop.picture(tmp_path / "type.png")
    manager.desktop.keys("Escape")
    assert not list(session.inputs.iterdir())
    assert not backend.requests("upload")


def test_no_credits(manager, session, backend, media, tmp_path):
    backend.fault("upload", code=2001)
    manager.copy(folder_of(tmp_path / "source", media / "clip.mp4"), session.inputs)
    manager.says(manager.no_credits)
    manager.desktop.picture(tmp_path / "credits.png")
    manager.desktop.keys("Escape")
    assert not backend.files()


def test_output_comes_and_goes(manager, session, backend, media):
    """Without a refresh; at the end it is there."""
    for name in ("clip.mp4", "voice.wav"):
        shutil.copy(media / name, session.inputs)
    manager.go(session.path)
    manager.see("reply.txt")
    assert not manager.lists("output.mp4")
    session.say("sync this voiceover to the speaker")
    manager.see("output.mp4")
    session.reply()
    # KDE's watcher takes two changes of a folder within one second of its clock for one.
    wait_for("the next second", lambda: time.time() // 1 > os.stat(session.path).st_mtime // 1)
    backend.fault("render", render="fail")
    session.say("trim to 2 s")
    manager.miss("output.mp4")
    session.reply()
    backend.no_faults()
    session.say("export")
    manager.see("output.mp4")


def edited(session, media):
    for name in ("clip.mp4", "voice.wav"):
        shutil.copy(media / name, session.inputs)
    session.say("sync this voiceover to the speaker")
    session.reply()


def test_copy_is_cancelled(manager, session, backend, slow_source):
    """Neither the folder nor its window has anything of it then."""
    manager.copy(slow_source, session.inputs)
    copying(session.inputs)
    manager.cancel()
    nothing_left(backend, session)
    manager.miss("clip.mp4")


def test_makes_a_session(manager, mount, backend):
    manager.make_folder()
    manager.see(manager.proposed)
    wait_for("the session", lambda: [s["name"] for s in backend.sessions()] == [manager.proposed])
    manager.rename(manager.proposed, "interview")
    manager.see("interview")
    manager.miss(manager.proposed)
    assert {p.name for p in mount.point.iterdir()} == {"README.txt", "credits", "interview"}
    assert len(backend.requests("session")) == 1


def test_takes_the_output(player, manager, session, backend, media, tmp_path):
    """Opens it with the player of the desktop, and copies it elsewhere."""
    edited(session, media)
    video = backend.rendered(session)
    manager.go(session.path)
    manager.open("output.mp4")
    manager.wait("the player", player.exists)
    assert player.read_bytes() == video
    manager.copy_one("output.mp4", folder_of(tmp_path / "target"))
    copy = tmp_path / "target" / "output.mp4"
    manager.wait("the copy", lambda: copy.exists() and copy.stat().st_size == len(video))
    assert copy.read_bytes() == video


def test_deletes_the_output(manager, session, backend, media):
    edited(session, media)
    manager.go(session.path)
    manager.delete("output.mp4", manager.deletes)
    manager.miss("output.mp4")
    assert not session.output.exists()


def test_listing_asks_nothing(manager, mount, session, backend, media):
    shutil.copy(media / "clip.mp4", session.inputs)
    wait_for("a quiet backend", lambda: backend.quiet(PATIENCE))
    before = len(backend.requests())
    for folder, entry in ((session.path, "state.json"), (session.inputs, "clip.mp4"), (mount.point, "s")):
        manager.go(folder)
        manager.see(entry)
        for _ in range(10):
            manager.desktop.keys("F5")
            manager.see(entry)
    wait_for("a quiet backend", lambda: backend.quiet(PATIENCE))
    asked = [request["path"] for request in backend.requests()[before:]]
    assert not asked, asked
    assert {p.name for p in mount.point.iterdir()} == {"README.txt", "credits", "s"}
