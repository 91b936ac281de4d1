"""The mount tests' fixtures, and what file managers need besides."""
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "mount"))
sys.dont_write_bytecode = True

pytest.register_assert_rewrite("managers")

import fixtures  # noqa: E402
from fixtures import *  # noqa: E402, F401, F403


@pytest.fixture(scope="session")
def runtime():
    """XDG_RUNTIME_DIR, for sockets, whose paths have to be short."""
    with tempfile.TemporaryDirectory(prefix="lipsyncfs-runtime.") as runtime:
        yield runtime


@pytest.fixture(scope="session")
def desktop(tmp_path_factory, runtime):
    missing = [name for name in ("Xvfb", "dbus-daemon", "openbox", "xdotool", "xprop", "import")
               if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {' '.join(missing)}")
    pytest.importorskip("gi.repository.Atspi")
    import desktop
    desktop = desktop.Desktop(tmp_path_factory.mktemp("desktop"), runtime)
    yield desktop
    desktop.end()


@pytest.fixture
def player(desktop):
    """What videos are opened with: it leaves a copy of what it was given there."""
    share, watched = desktop.home / ".local/share/applications", desktop.home / "watched.mp4"
    share.mkdir(parents=True, exist_ok=True)
    program = desktop.home / "player"
    program.write_text(f'#!/bin/sh\ncat "$1" > {watched}.part && mv {watched}.part {watched}\n')
    program.chmod(0o755)
    (share / "player.desktop").write_text("[Desktop Entry]\nType=Application\nName=Player\nMimeType=video/mp4;\n"
                                          f"Exec={program} %f\n")
    (desktop.home / ".config/mimeapps.list").write_text("[Default Applications]\nvideo/mp4=player.desktop\n")
    yield watched
    watched.unlink(missing_ok=True)


@pytest.fixture
def manager(request, desktop, mount):
    """The module's file manager, with the mount in a window."""
    manager = request.module.Manager(desktop, mount.point)
    yield manager
    manager.end()


class Screen:
    """What was to be seen belongs into the report of a failure."""

    @staticmethod
    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(item):
        report = (yield).get_result()
        if report.failed and "desktop" in item.funcargs:
            if "tmp_path" in item.funcargs:
                item.funcargs["desktop"].picture(item.funcargs["tmp_path"] / "screen.png")
            report.sections.append(("screen", item.funcargs["desktop"].outline()[-20000:]))


def pytest_configure(config):
    fixtures.pytest_configure(config)
    config.pluginmanager.register(Screen)
