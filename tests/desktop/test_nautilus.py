"""Nautilus, the file manager of GNOME."""
import managers


class Manager(managers.Manager):
    command = ("nautilus", "--new-window")
    name = "org.gnome.Nautilus"


def test_output_comes_and_goes(manager, session, backend, media):
    managers.output_comes_and_goes(manager, session, backend, media)
