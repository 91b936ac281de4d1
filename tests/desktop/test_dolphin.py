"""Dolphin, the file manager of KDE."""
import pytest

import managers


class Dolphin(managers.Manager):
    command = ("dolphin", "--new-window")
    name = "dolphin"


@pytest.fixture
def dolphin(desktop, mount):
    dolphin = Dolphin(desktop, mount.point)
    yield dolphin
    dolphin.end()


def test_copies_in(dolphin, session, backend, media, tmp_path):
    managers.copies_in(dolphin, session, backend, media, tmp_path)


def test_unsupported_type(dolphin, session, backend, tmp_path):
    managers.refuses_a_type(dolphin, session, backend, tmp_path, "Could not write to")


def test_no_credits(dolphin, session, backend, media, tmp_path):
    managers.refuses_without_credits(dolphin, session, backend, media, tmp_path, "Could not write to")


def test_output_comes_and_goes(dolphin, session, backend, media):
    managers.output_comes_and_goes(dolphin, session, backend, media)
