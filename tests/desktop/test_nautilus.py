"""Nautilus, the file manager of GNOME; told what to do by the calls that it has for other programs."""
from gi.repository import Atspi

import managers
from desktop import alive, says, tree


def in_dialog(application, words):
    return any(words in text for dialog in tree(application, 1) if alive(dialog.get_role) == Atspi.Role.DIALOG
               for node in tree(dialog) for text in says(node))


def texts(*paths):
    return "[" + ", ".join(f"'{path.as_uri()}'" for path in paths) + "]"


class Manager(managers.Manager):
    command = ("nautilus", "--new-window")
    name = "org.gnome.Nautilus"

    def call(self, method, *arguments):
        self.desktop.run("gdbus", "call", "--session", "--dest", "org.gnome.Nautilus",
                         "--object-path", "/org/gnome/Nautilus/FileOperations2",
                         "--method", f"org.gnome.Nautilus.FileOperations2.{method}", *arguments, "{}")

    def says(self, words):
        """In a dialog; of what is in there it does not tell that it is shown."""
        self.wait(f"the words {words!r}", lambda: self.find(in_dialog, words))

    def copy(self, source, inputs):
        self.go(inputs)
        self.call("CopyURIs", texts(*source.iterdir()), inputs.as_uri())

    def copy_one(self, name, target):
        self.call("CopyURIs", texts(self.folder / name), target.as_uri())

    def make_folder(self):
        self.call("CreateFolder", self.folder.as_uri(), "New Folder")

    def rename(self, old, new):
        self.call("RenameURI", (self.folder / old).as_uri(), new)

    def select(self, name):
        """In a window of its own."""
        self.desktop.run("gdbus", "call", "--session", "--dest", "org.freedesktop.FileManager1",
                         "--object-path", "/org/freedesktop/FileManager1",
                         "--method", "org.freedesktop.FileManager1.ShowItems", texts(self.folder / name), "")
        self.see(name)


def test_makes_a_session(manager, mount, backend):
    managers.makes_a_session(manager, mount, backend)


def test_copies_in(manager, session, backend, media, tmp_path):
    managers.copies_in(manager, session, backend, media, tmp_path)


def test_unsupported_type(manager, session, backend, tmp_path):
    managers.refuses_a_type(manager, session, backend, tmp_path, "Operation not supported")


def test_no_credits(manager, session, backend, media, tmp_path):
    managers.refuses_without_credits(manager, session, backend, media, tmp_path, "Disk quota exceeded")


def test_output_comes_and_goes(manager, session, backend, media):
    managers.output_comes_and_goes(manager, session, backend, media)


def test_takes_the_output(player, manager, session, backend, media, tmp_path):
    managers.takes_the_output(manager, session, backend, media, player, tmp_path)


def test_listing_asks_nothing(manager, mount, session, backend, media):
    managers.listing_asks_nothing(manager, mount, session, backend, media)
