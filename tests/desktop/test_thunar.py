"""Thunar, the file manager of Xfce."""
import managers


class Manager(managers.Manager):
    command = ("thunar",)
    name = "thunar"

    def title(self, folder):
        return f"{folder.name} - Thunar"

    def rename(self, old, new):
        self.window(self.here)
        self.desktop.keys("F2")
        self.window(f'Rename "{old}"')
        self.desktop.keys("ctrl+a")
        self.desktop.type(new)
        self.desktop.keys("Return")


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


def test_copy_is_cancelled(manager, session, backend, slow_source):
    managers.copy_is_cancelled(manager, session, backend, slow_source)


def test_takes_and_deletes_the_output(player, manager, session, backend, media, tmp_path):
    managers.takes_and_deletes_the_output(manager, session, backend, media, player, tmp_path, "permanently delete")


def test_listing_asks_nothing(manager, mount, session, backend, media):
    managers.listing_asks_nothing(manager, mount, session, backend, media)
