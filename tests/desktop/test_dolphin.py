"""Dolphin, the file manager of KDE."""
import managers


class Manager(managers.Manager):
    command = ("dolphin", "--new-window")
    name = "dolphin"
    stop = "Cancel"
    new_folder = "F10"

    def select(self, name):
        self.see(name)
        self.desktop.type(name[:6])  # Escape would let go of it


def test_copies_in(manager, session, backend, media, tmp_path):
    managers.copies_in(manager, session, backend, media, tmp_path)


def test_unsupported_type(manager, session, backend, tmp_path):
    managers.refuses_a_type(manager, session, backend, tmp_path, "Could not write to")


def test_no_credits(manager, session, backend, media, tmp_path):
    managers.refuses_without_credits(manager, session, backend, media, tmp_path, "Could not write to")


def test_output_comes_and_goes(manager, session, backend, media):
    managers.output_comes_and_goes(manager, session, backend, media)


def test_copy_is_cancelled(manager, session, backend, slow_source):
    managers.copy_is_cancelled(manager, session, backend, slow_source)


def test_makes_a_session(manager, mount, backend):
    managers.makes_a_session(manager, mount, backend)


def test_takes_and_deletes_the_output(player, manager, session, backend, media, tmp_path):
    managers.takes_and_deletes_the_output(manager, session, backend, media, player, tmp_path, "ermanently delete")
