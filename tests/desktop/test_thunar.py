"""Thunar, the file manager of Xfce."""
import managers
from harness import PATIENCE, wait_for


class Manager(managers.Manager):
    command = ("thunar",)
    name = "thunar"

    def title(self, folder):
        return f"{folder.name} - Thunar"


def test_new_folder_renamed(manager, mount, backend, desktop):
    desktop.keys("ctrl+shift+n")
    manager.window("Create New Folder")
    desktop.keys("Return")
    manager.see("New Folder")
    wait_for("the session", lambda: [s["name"] for s in backend.sessions()] == ["New Folder"])
    manager.window("mount - Thunar")
    desktop.keys("F2")
    manager.window('Rename "New Folder"')
    desktop.keys("ctrl+a")
    desktop.type("interview")
    desktop.keys("Return")
    manager.see("interview")
    manager.miss("New Folder")
    assert {p.name for p in mount.point.iterdir()} == {"README.txt", "credits", "interview"}
    assert len(backend.requests("session")) == 1


def test_copies_in(manager, session, backend, media, tmp_path):
    managers.copies_in(manager, session, backend, media, tmp_path)


def test_unsupported_type(manager, session, backend, tmp_path):
    managers.refuses_a_type(manager, session, backend, tmp_path, "Operation not supported")


def test_no_credits(manager, session, backend, media, tmp_path):
    managers.refuses_without_credits(manager, session, backend, media, tmp_path, "Disk quota exceeded")


def test_output_comes_and_goes_and_is_deleted(manager, session, backend, media, desktop):
    managers.output_comes_and_goes(manager, session, backend, media)
    desktop.type("output")
    manager.says('"output.mp4"')
    desktop.keys("Escape", "shift+Delete")
    manager.says("permanently delete")
    desktop.keys("alt+d")
    manager.miss("output.mp4")
    assert not session.output.exists()


def test_listing_asks_nothing(manager, mount, session, backend, desktop):
    wait_for("a quiet backend", lambda: backend.quiet(PATIENCE))
    before = len(backend.requests())
    for _ in range(10):
        for folder in (session.path, session.inputs, mount.point):
            manager.go(folder)
            desktop.keys("ctrl+r", "ctrl+w")
    manager.see("s")
    wait_for("a quiet backend", lambda: backend.quiet(PATIENCE))
    assert len(backend.requests()) == before
    assert {p.name for p in mount.point.iterdir()} == {"README.txt", "credits", "s"}
