"""Fixtures of the tests on real mounts.

Markers: backend("--option", …) options of the local backend; mount(option=value, …) options of the mount;
environment(NAME=value) of the mount; limit(seconds) of the test.
"""
import http.server
import os
import shutil
import subprocess
import threading
from functools import partial
from pathlib import Path

import pytest

import media as media_files
from harness import SANITIZED, Backend, Mount, Program, Watchdog, is_mounted, run, wait_for

LIMIT_S = 60


def pytest_configure(config):
    for marker in ("backend(*options)", "mount(**options)", "environment(**variables)", "limit(seconds)"):
        config.addinivalue_line("markers", marker)
    # A run that was killed may have left a dead mount, on which the removal of old files would fail.
    base = config.option.basetemp
    if base:
        with open("/proc/self/mountinfo") as lines:
            points = [line.split()[4] for line in lines]
        for point in points:
            if point.startswith(str(Path(base).resolve()) + "/"):
                subprocess.run(["fusermount3", "-u", "-z", point], check=False)


def pytest_sessionfinish(session, exitstatus):
    """Everything skipped is a skip to ctest; under CI nothing may be skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped, passed = (len(reporter.stats.get(k, ())) for k in ("skipped", "passed"))
    if exitstatus == 0 and skipped and os.environ.get("CI"):
        session.exitstatus = 1
    elif exitstatus == 0 and skipped and not passed:
        session.exitstatus = 77


def pytest_terminal_summary(terminalreporter):
    """The table: program by program, what works."""
    rows = [r for outcome in ("passed", "failed", "skipped") for r in terminalreporter.stats.get(outcome, ())
            if r.nodeid.startswith("test_programs_") or "/test_programs_" in r.nodeid]
    if rows:
        terminalreporter.section("programs")
    for row in sorted(rows, key=lambda r: r.nodeid):
        terminalreporter.write_line(f"{row.outcome:8}{row.nodeid[row.nodeid.index('test_programs_'):]}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What our programs said belongs into the report of a failure."""
    report = (yield).get_result()
    if report.failed and "tmp_path" in item.funcargs:
        for log in sorted(item.funcargs["tmp_path"].glob("*.log")):
            report.sections.append((log.name, log.read_text(errors="replace")[-8000:]))


def marked(request, name):
    marker = request.node.get_closest_marker(name)
    return (marker.args, marker.kwargs) if marker else ((), {})


@pytest.fixture(autouse=True)
def watchdog(request):
    args, _ = marked(request, "limit")
    dog = Watchdog(*(args or (LIMIT_S,)))
    yield dog
    dog.end()


@pytest.fixture(scope="session")
def media():
    return media_files.directory()


@pytest.fixture(scope="session")
def web(media):
    """The media by HTTP, for programs that fetch."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=media))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def slow_source(tmp_path, media):
    """A folder with a clip, long and slow to read: a copy of it can be cancelled in the middle."""
    if not shutil.which("bindfs"):
        pytest.skip("no bindfs")
    plain, slow = tmp_path / "plain", tmp_path / "slow"
    plain.mkdir()
    slow.mkdir()
    clip = shutil.copy(media / "clip.mp4", plain)
    media_files.lengthen(clip, 40_000_000)
    program = Program(["bindfs", "-f", "--no-allow-other", "--read-rate=2M", plain, slow], None, tmp_path / "bindfs.log")
    try:
        wait_for("the slow folder", lambda: is_mounted(slow))
        yield slow
    finally:
        run(["fusermount3", "-u", "-z", slow])
        program.kill()


@pytest.fixture
def backend(request, tmp_path, watchdog):
    backend = Backend(tmp_path, marked(request, "backend")[0])
    yield backend
    if backend.program.running():
        backend.thaw()
        backend.stop()


@pytest.fixture
def mount(request, tmp_path, backend):
    mount = Mount(tmp_path, backend.url, marked(request, "mount")[1], marked(request, "environment")[1])
    yield mount
    try:
        if mount.program.running() or is_mounted(mount.point):
            backend.thaw()
            mount.unmount()
    finally:
        mount.destroy()


@pytest.fixture
def session(mount):
    return mount.session()


FILM_S = 25


@pytest.fixture
def film(session, media, tmp_path):
    """A session whose output is long enough to seek in."""
    media_files.film(media / "clip.mp4", tmp_path / "film.mp4", FILM_S // media_files.CLIP_S + 1)
    shutil.copy(tmp_path / "film.mp4", session.inputs)
    session.say(f"trim to {FILM_S} s")
    assert "output.mp4 is ready" in session.reply()
    return session


@pytest.fixture
def slow(backend):
    """Every message is answered in three pieces, over some seconds."""
    backend.answer("One. ", "Two. ", "Three.\n", gap_ms=1500 if SANITIZED else 750)


@pytest.fixture
def busy(backend):
    """No message is ever answered to its end."""
    backend.answer("One. ", endless=True)
