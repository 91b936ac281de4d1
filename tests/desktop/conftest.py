"""The mount tests' fixtures, and what file managers need besides."""
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "mount"))
sys.dont_write_bytecode = True

from fixtures import *  # noqa: E402, F401, F403


@pytest.fixture(scope="session")
def runtime():
    """XDG_RUNTIME_DIR, for sockets, whose paths have to be short."""
    with tempfile.TemporaryDirectory(prefix="lipsyncfs-runtime.") as runtime:
        yield runtime
