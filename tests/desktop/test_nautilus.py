"""Nautilus, the file manager of GNOME."""
import pytest

import managers


class Nautilus(managers.Manager):
    command = ("nautilus", "--new-window")
    name = "org.gnome.Nautilus"


@pytest.fixture
def nautilus(desktop, mount):
    nautilus = Nautilus(desktop, mount.point)
    yield nautilus
    nautilus.end()


def test_output_comes_and_goes(nautilus, session, backend, media):
    managers.output_comes_and_goes(nautilus, session, backend, media)
