"""Thunar, the file manager of Xfce."""
import pytest

import managers
from harness import PATIENCE, wait_for


class Thunar(managers.Manager):
    command = ("thunar",)
    name = "thunar"

    def title(self, folder):
        return f"{folder.name} - Thunar"


@pytest.fixture
def thunar(desktop, mount):
    thunar = Thunar(desktop, mount.point)
    yield thunar
    thunar.end()


def test_new_folder_renamed(thunar, mount, backend, desktop):
    desktop.keys("ctrl+shift+n")
    thunar.window("Create New Folder")
    desktop.keys("Return")
    thunar.see("New Folder")
    wait_for("the session", lambda: [s["name"] for s in backend.sessions()] == ["New Folder"])
    thunar.window("mount - Thunar")
    desktop.keys("F2")
    thunar.window('Rename "New Folder"')
    desktop.keys("ctrl+a")
    desktop.type("interview")
    desktop.keys("Return")
    thunar.see("interview")
    thunar.miss("New Folder")
    assert {p.name for p in mount.point.iterdir()} == {"README.txt", "credits", "interview"}
    assert len(backend.requests("session")) == 1


def test_copies_in(thunar, session, backend, media, tmp_path):
    managers.copies_in(thunar, session, backend, media, tmp_path)


def test_unsupported_type(thunar, session, backend, tmp_path):
    managers.refuses_a_type(thunar, session, backend, tmp_path, "Operation not supported")


def test_no_credits(thunar, session, backend, media, tmp_path):
    managers.refuses_without_credits(thunar, session, backend, media, tmp_path, "Disk quota exceeded")


def test_output_comes_and_goes_and_is_deleted(thunar, session, backend, media, desktop):
    managers.output_comes_and_goes(thunar, session, backend, media)
    desktop.type("output")
    thunar.says('"output.mp4"')
    desktop.keys("Escape", "shift+Delete")
    thunar.says("permanently delete")
    desktop.keys("alt+d")
    thunar.miss("output.mp4")
    assert not session.output.exists()


def test_listing_asks_nothing(thunar, mount, session, backend, desktop):
    wait_for("a quiet backend", lambda: backend.quiet(PATIENCE))
    before = len(backend.requests())
    for _ in range(10):
        for folder in (session.path, session.inputs, mount.point):
            thunar.go(folder)
            desktop.keys("ctrl+r", "ctrl+w")
    thunar.see("s")
    wait_for("a quiet backend", lambda: backend.quiet(PATIENCE))
    assert len(backend.requests()) == before
    assert {p.name for p in mount.point.iterdir()} == {"README.txt", "credits", "s"}
