"""PCManFM, the file manager of LXDE."""
import pytest

import managers


class Pcmanfm(managers.Manager):
    command = ("pcmanfm", "--new-win")
    name = "pcmanfm"


@pytest.fixture
def pcmanfm(desktop, mount):
    pcmanfm = Pcmanfm(desktop, mount.point)
    yield pcmanfm
    pcmanfm.end()


def test_copies_in(pcmanfm, session, backend, media, tmp_path):
    managers.copies_in(pcmanfm, session, backend, media, tmp_path)


def test_unsupported_type(pcmanfm, session, backend, tmp_path):
    managers.refuses_a_type(pcmanfm, session, backend, tmp_path, "Operation not supported")


def test_no_credits(pcmanfm, session, backend, media, tmp_path):
    managers.refuses_without_credits(pcmanfm, session, backend, media, tmp_path, "Disk quota exceeded")


def test_output_comes_and_goes(pcmanfm, session, backend, media):
    managers.output_comes_and_goes(pcmanfm, session, backend, media)
