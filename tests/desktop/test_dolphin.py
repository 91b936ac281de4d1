"""Dolphin, the file manager of KDE."""
import managers


class Manager(managers.Manager):
    command = ("dolphin", "--new-window")
    name = "dolphin"


def test_copies_in(manager, session, backend, media, tmp_path):
    managers.copies_in(manager, session, backend, media, tmp_path)


def test_unsupported_type(manager, session, backend, tmp_path):
    managers.refuses_a_type(manager, session, backend, tmp_path, "Could not write to")


def test_no_credits(manager, session, backend, media, tmp_path):
    managers.refuses_without_credits(manager, session, backend, media, tmp_path, "Could not write to")


def test_output_comes_and_goes(manager, session, backend, media):
    managers.output_comes_and_goes(manager, session, backend, media)
