"""The mount tests' fixtures, with the shim preloaded."""
import contextlib
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


@contextlib.contextmanager
def disk_of_8_mb(path):
    path.mkdir()
    if run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", path]).returncode:
        pytest.skip("may not mount a small disk")
    try:
        yield path
    finally:
        run(["umount", "-l", path])


@contextlib.contextmanager
def mount_on(tmp_path, backend, state, cache):
    mount = Mount(tmp_path, backend.url, {"state_dir": state / "state", "cache_dir": cache / "cache"})
    try:
        yield mount
        mount.unmount()
    finally:
        mount.destroy()


@pytest.fixture
def small_disk(tmp_path, backend):
    """A mount whose state and cache are on a disk of 8 MB."""
    with disk_of_8_mb(tmp_path / "disk") as disk, mount_on(tmp_path, backend, disk, disk) as mount:
        mount.disk = disk
        yield mount


@pytest.fixture
def small_disks(tmp_path, backend):
    """A mount whose state and cache have each a disk of 8 MB."""
    with disk_of_8_mb(tmp_path / "1") as one, disk_of_8_mb(tmp_path / "2") as other, \
            mount_on(tmp_path, backend, one, other) as mount:
        mount.disks = {"state": one, "cache": other}
        yield mount
