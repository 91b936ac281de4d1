"""Mousepad, the editor of Xfce: a message written in a window."""
import pytest

import managers
from desktop import press


class Manager(managers.Manager):
    """A window with the file in it, instead of a folder."""
    command = ("mousepad", "--disable-server")
    name = "mousepad"

    def title(self, folder):
        return f"{folder} - Mousepad"


@pytest.fixture
def editor(desktop, session):
    editor = Manager(desktop, session.instruct)
    desktop.type("make it softer")
    desktop.keys("ctrl+s")
    yield editor
    editor.end()


def test_message(editor, session, backend):
    editor.wait("the message", lambda: backend.messages() == ["make it softer"])
    session.reply()
    editor.desktop.keys("ctrl+End")
    editor.desktop.type(", please")
    editor.desktop.keys("ctrl+s")
    editor.says("externally modified")  # its time is that of the last message
    editor.wait("a button to save it", lambda: editor.find(press, "Save"))
    editor.wait("the second message", lambda: backend.messages() == ["make it softer", "make it softer, please"])


@pytest.mark.backend("--credits", "0")
def test_no_credits(editor, backend, tmp_path):
    editor.says("Disk quota exceeded")
    editor.desktop.picture(tmp_path / "credits.png")
    editor.desktop.keys("Escape")
    assert not backend.messages()
