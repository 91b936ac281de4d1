"""An ordinary user, who mounts for himself. Root becomes `nobody` for that; an ordinary user stays who he is."""
import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from harness import Mount, clean_environment, run

ROOT = os.geteuid() == 0
NOBODY = 65534


def becoming(number):
    return ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups"] if ROOT else []


@pytest.fixture
def device():
    """Every user may open it on every distribution; containers may say otherwise."""
    mode = stat.S_IMODE(os.stat("/dev/fuse").st_mode)
    if ROOT and mode & 0o006 != 0o006:
        os.chmod("/dev/fuse", 0o666)
        yield
        os.chmod("/dev/fuse", mode)
    else:
        yield


@pytest.fixture
def place():
    """A directory that the ordinary user owns and can reach."""
    where = Path(tempfile.mkdtemp(prefix="lipsyncfs-user."))
    if ROOT:
        os.chown(where, NOBODY, NOBODY)
    yield where
    shutil.rmtree(where)


class User:
    """Acts as the user of the mount; what is only his is not even visible to root."""

    def __init__(self, mount):
        self.mount = mount
        self.session = mount.point / "s"

    def sh(self, line, media=None, **more):
        env = {**self.mount.env, "S": str(self.session), "MEDIA": str(media), "T": str(self.mount.directory), **more}
        return run([*self.mount.user, "/bin/bash", "-c", line], cwd="/", env=env, timeout=60)

    def does(self, line, media=None, **more):
        done = self.sh(line, media, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def mount_by_user(place, api, **env):
    """Has no session yet."""
    env = {**clean_environment(place / "home"), **env}
    (place / "mount").mkdir()
    if ROOT:
        for name in ("home", "mount"):
            os.chown(place / name, NOBODY, NOBODY)
    return User(Mount(place, api, env=env, user=becoming(NOBODY)))
