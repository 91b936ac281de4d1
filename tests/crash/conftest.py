"""The mount tests' fixtures, with the shim preloaded."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "mount"))
sys.dont_write_bytecode = True

from fixtures import media, session  # noqa: E402, F401
from harness import BUILD_DIR, Backend, Mount, Watchdog, is_mounted, run  # noqa: E402
import shim as shim_module  # noqa: E402


@pytest.fixture(autouse=True)
def watchdog():
    dog = Watchdog(150)
    yield dog
    dog.end()


@pytest.fixture
def backend(tmp_path):
    backend = Backend(tmp_path)
    yield backend
    backend.stop()


@pytest.fixture
def shim(tmp_path):
    return shim_module.Shim(BUILD_DIR / "tests/crash/shim.so", tmp_path / "shim.control")


@pytest.fixture
def mount(tmp_path, backend, shim):
    mount = Mount(tmp_path, backend.url, None, shim.environment)
    yield mount
    try:
        shim.rest()
        if mount.program.running() or is_mounted(mount.point):
            mount.unmount()
    finally:
        mount.destroy()


@pytest.fixture
def small_disk(tmp_path, backend):
    """A mount whose state and cache are on a disk of 8 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", disk]).returncode:
        pytest.skip("may not mount a small disk")
    mount = None
    try:
        mount = Mount(tmp_path, backend.url, {"state_dir": disk / "state", "cache_dir": disk / "cache"})
        mount.disk = disk
        yield mount
        mount.unmount()
    finally:
        if mount:
            mount.destroy()
        run(["umount", "-l", disk])
