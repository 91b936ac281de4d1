"""Nautilus, the file manager of GNOME; told what to do by the calls that it has for other programs."""
import managers
from desktop import Atspi, alive, says, tree
from managers import (  # noqa: F401
    test_copies_in, test_copy_is_cancelled, test_deletes_the_output, test_listing_asks_nothing,
    test_makes_a_session, test_no_credits, test_output_comes_and_goes, test_takes_the_output, test_unsupported_type)


def dialogs(application):
    return [node for node in tree(application, 1) if alive(node.get_role) == Atspi.Role.DIALOG]


def in_dialog(application, words):
    return any(words in text for dialog in dialogs(application) for node in tree(dialog) for text in says(node))


def has_room(node):
    """What is not shown has none."""
    return alive(lambda: node.get_extents(Atspi.CoordType.WINDOW).width, 0) > 0


def press_first(parts, words=""):
    """The first of their buttons that says so."""
    return any(alive(node.get_role) == Atspi.Role.PUSH_BUTTON and words in alive(node.get_name, "") and has_room(node)
               and alive(lambda: node.do_action(0)) for part in parts for node in tree(part))


def press_in_dialog(application, words):
    return press_first(dialogs(application), words)


def press_inside(application, title, *names):
    """The first button of a part of a window, by the names of what it is in."""
    parts = [frame for frame in tree(application, 1) if alive(frame.get_name) == title]
    for name in names:
        parts = [node for part in parts for node in tree(part) if alive(node.get_name) == name]
    return press_first(parts)


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

    def delete(self, name, words):
        self.call("DeleteURIs", texts(self.folder / name))
        self.says(words)
        self.wait("its button", lambda: self.find(press_in_dialog, "Delete"))

    def cancel(self):
        """Behind a pie that shows how far the copies are."""
        progress = [self.here, "NautilusProgressIndicator"]
        self.wait("the progress", lambda: self.find(press_inside, *progress))
        self.wait("a button to cancel it", lambda: self.find(press_inside, *progress, "GtkPopoverContent"))
