"""Dolphin, the file manager of KDE."""
import managers
from managers import (  # noqa: F401
    test_copies_in, test_copy_is_cancelled, test_deletes_the_output, test_listing_asks_nothing,
    test_makes_a_session, test_no_credits, test_output_comes_and_goes, test_takes_the_output, test_unsupported_type)


class Manager(managers.Manager):
    command = ("dolphin", "--new-window")
    name = "dolphin"
    stop = "Cancel"
    new_folder = "F10"
    unsupported = no_credits = "Could not write to"
    deletes = "ermanently delete"

    def select(self, name):
        self.see(name)
        self.desktop.type(name[:6])  # Escape would let go of it
