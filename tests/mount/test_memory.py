"""What a mount costs at rest; of builds without sanitizers."""
import time
from pathlib import Path

import pytest

from harness import Session, wait_for


@pytest.fixture
def hundred(backend, mount):
    sessions = [mount.session(f"take {i}") for i in range(100)]
    for session in sessions:
        session.wait_status("idle", timeout=60)
    wait_for("the first queries", backend.quiet, timeout=60)
    return sessions


@pytest.mark.limit(180)
@pytest.mark.parametrize("state", ["made", "mounted again"])
def test_resident_memory(mount, hundred, state):
    if state == "mounted again":
        mount.remount()
        for number in range(100):
            Session(mount.point / f"take {number}").text("status.txt")
    kilobytes = mount.program.resident_kb()
    print(f"resident with 100 sessions, {state}: {kilobytes} kB")
    assert kilobytes < 20_000


@pytest.mark.limit(120)
def test_no_wake_ups_at_rest(mount, hundred):
    """Two seconds in which nothing happens: no thread runs."""
    def switches():
        total = 0
        for task in Path(f"/proc/{mount.program.pid}/task").iterdir():
            for line in (task / "status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    total += int(line.split()[1])
        return total

    def at_rest():
        before = switches()
        # A deadline, not a pause: the time is what is measured here.
        time.sleep(2)
        return switches() - before < 8
    wait_for("two seconds of rest", at_rest, timeout=20)
