"""Nautilus, the file manager of GNOME; told what to do by the calls that it has for other programs."""
from gi.repository import Atspi

import managers
from desktop import alive, says, tree
from managers import (  # noqa: F401
    test_copies_in, test_listing_asks_nothing, test_makes_a_session, test_no_credits,
    test_output_comes_and_goes, test_takes_the_output, test_unsupported_type)


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
