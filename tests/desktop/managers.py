"""A file manager with windows, used as a person does; and what has to hold for each of them."""
import shutil

import pytest

from desktop import alive, applications, listed, shown, window
from harness import wait_for

PATIENCE_S = 40


class Manager:
    command = ()
    name = None  # among the applications

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


def copies_in(manager, session, backend, media, tmp_path):
    names = ["clip.mp4", "voice.wav"]
    manager.copy(folder_of(tmp_path / "source", *(media / name for name in names)), session.inputs)
    manager.see(*names)
    manager.wait("both uploads", lambda: sorted(f["name"] for f in backend.files()) == names)
    for file in backend.files():
        assert backend.content(file) == (media / file["name"]).read_bytes()
    assert len(backend.requests("upload")) == 2


def refuses_a_type(manager, session, backend, tmp_path, words):
    (tmp_path / "notes.txt").write_text("not for an editor of videos\n")
    manager.copy(folder_of(tmp_path / "source", tmp_path / "notes.txt"), session.inputs)
    manager.says(words)
    manager.desktop.picture(tmp_path / "type.png")
    manager.desktop.keys("Escape")
    assert not list(session.inputs.iterdir())
    assert not backend.requests("upload")


def refuses_without_credits(manager, session, backend, media, tmp_path, words):
    backend.fault("upload", code=2001)
    manager.copy(folder_of(tmp_path / "source", media / "clip.mp4"), session.inputs)
    manager.says(words)
    manager.desktop.picture(tmp_path / "credits.png")
    manager.desktop.keys("Escape")
    assert not backend.files()


def output_comes_and_goes(manager, session, backend, media):
    """Without a refresh; at the end it is there."""
    for name in ("clip.mp4", "voice.wav"):
        shutil.copy(media / name, session.inputs)
    manager.go(session.path)
    manager.see("reply.txt")
    assert not manager.lists("output.mp4")
    session.say("sync this voiceover to the speaker")
    manager.see("output.mp4")
    session.reply()
    backend.fault("render", render="fail")
    session.say("trim to 2 s")
    manager.miss("output.mp4")
    session.reply()
    backend.no_faults()
    session.say("export")
    manager.see("output.mp4")
