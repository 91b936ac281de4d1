"""Starting and ending: exit statuses, signals, waiting calls, the background, odd options."""
import errno
import os
import signal
import time

import pytest

from harness import (BUILD_DIR, PATIENCE, Mount, ended, error_of, in_kernel_wait, is_mounted, run, sh, spawn, take_away,
                     wait_for)

PROGRAM = BUILD_DIR / "bin/lipsyncfs"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals(mount, session, how):
    session.wait_status("idle")
    os.kill(mount.program.pid, how)
    mount.finish()


def test_fusermount(mount, session):
    session.wait_status("idle")
    mount.unmount()


STRACE = ("setpriv", "--pdeathsig", "KILL", "strace", "-f", "-q", "-o", "/dev/null", "-P", "/dev/fuse",
          "-e", "inject=read:error=ECONNABORTED:when=30+")


def test_taken_away_in_the_middle_of_a_request(backend, tmp_path):
    """The kernel then gives the program another error than otherwise."""
    mount = Mount(tmp_path, backend.url, env={"ASAN_OPTIONS": "detect_leaks=0"}, user=STRACE)
    try:
        def ended_by_a_request():
            error_of(lambda: os.stat(mount.point / str(time.monotonic_ns())))
            return not mount.program.running()
        wait_for("the end of the program", ended_by_a_request)
        mount.finish()
    finally:
        mount.destroy()


def test_busy(mount, session):
    with open(session / "status.txt"):
        done = run(["fusermount3", "-u", mount.point])
        assert done.returncode != 0 and "busy" in done.stderr
    mount.unmount()


def test_at_once(mount):
    """While the first calls are still under way."""
    mount.session()
    mount.unmount()


def test_without_a_backend(backend, mount):
    backend.stop()
    mount.session()
    begin = time.monotonic()
    mount.unmount()
    assert time.monotonic() - begin < 5 * PATIENCE


@pytest.mark.usefixtures("busy")
def test_waiting_calls_are_answered(mount, session):
    session.say("make it softer")
    waiting = [spawn(f"exec cat {session}/reply.txt"), spawn(f"echo more > {session.instruct}")]
    for process in waiting:
        wait_for("it to wait", lambda: in_kernel_wait(process.pid))
    os.kill(mount.program.pid, signal.SIGTERM)
    for process in waiting:
        with ended(process):
            process.wait(10 * PATIENCE)
    mount.finish()


def test_uploads_under_way_get_time(backend, mount, session, media):
    backend.fault("upload", delay_ms=2000)
    with ended(spawn(["cp", media / "clip.mp4", session.inputs])) as writer:
        session.wait_status("uploading")
        os.kill(mount.program.pid, signal.SIGTERM)
        writer.wait(20)
    mount.finish()
    assert [f["name"] for f in backend.files()] == ["clip.mp4"]


def options(mount):
    return f"api={mount.api},state_dir={mount.state},cache_dir={mount.cache}"


def test_in_the_background(mount):
    """The command returns when the mount answers, and not before."""
    mount.unmount()
    done = run([PROGRAM, "-o", options(mount), mount.point], env=mount.env)
    try:
        assert done.returncode == 0, done.stderr
        assert os.listdir(mount.point)
        os.mkdir(mount.point / "s")
    finally:
        take_away(mount.point)
    wait_for("its end", lambda: run([PROGRAM, "-o", options(mount), mount.point], env=mount.env).returncode == 0)
    assert "s" in os.listdir(mount.point)
    take_away(mount.point)
    lock_is_free(mount)


def lock_is_free(mount):
    """Until no background program uses the state directory any more; the fixture then finds it at rest."""
    def users():
        return [p for p in os.listdir("/proc") if p.isdigit() and str(mount.state).encode()
                in open(f"/proc/{p}/cmdline", "rb").read()]

    def gone():
        try:
            return not users()
        except (FileNotFoundError, ProcessLookupError):
            return False
    wait_for("the background program to end", gone)


@pytest.mark.parametrize("arguments, status", [
    (["--help"], 0), (["-h"], 0), (["--version"], 0), (["-V"], 0), ([], 2), (["-o", "nonsense=1", "/tmp"], 2),
    (["-o", "poll=soon", "/tmp"], 2), (["-o", "render=sometimes", "/tmp"], 2), (["-o", "max_upload=much", "/tmp"], 2),
    (["-o", "api=http://example.com", "/tmp"], 2), (["-o", "api=ftp://127.0.0.1", "/tmp"], 2),
    (["/nonexistent/place"], 1), (["/etc/passwd"], 1)])
def test_usage(tmp_path, arguments, status):
    (tmp_path / "home").mkdir()
    done = run([PROGRAM, *arguments], env={"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")})
    assert done.returncode == status, done.stderr
    assert done.stdout if status == 0 else done.stderr
    if "help" in " ".join(arguments):
        for option in ("api=", "web=", "lang=", "state_dir=", "cache_dir=", "cache_size=", "render=", "max_upload=",
                       "poll=", "retry_wait=", "quiet=", "turn_timeout=", "render_timeout="):
            assert option in done.stdout


def test_a_mount_point_that_is_a_file(tmp_path):
    point = tmp_path / "file"
    point.touch()
    done = run([PROGRAM, point], env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    assert (done.returncode, done.stderr) == (1, f"lipsyncfs: {point}: Not a directory\n")


@pytest.mark.parametrize("below", [".", ".local/state/lipsyncfs", ".cache", ".config/nemovideo"])
def test_a_mount_point_that_hides_our_own_files(tmp_path, below):
    """A program that needed its own mount to open them would wait for itself."""
    point = tmp_path / below
    point.mkdir(parents=True, exist_ok=True)
    (tmp_path / "link").symlink_to(point)
    for name in (point, tmp_path / "link"):
        done = run([PROGRAM, name], env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
        assert done.returncode == 1 and f"bad mount point {point}: it would hide {point}" in done.stderr


def test_debug_output_has_no_token(backend, mount, session):
    session.wait_status("idle")
    mount.unmount()
    mount.options["debug"] = True
    mount.start()
    mount.session("b").wait_status("idle")
    mount.unmount()
    tokens = backend.tokens()
    assert tokens
    for token in tokens:
        assert token not in mount.program.words()


@pytest.mark.mount(max_read=65536)
def test_max_read(session, media):
    assert run(["cp", media / "clip.mp4", session.inputs]).returncode == 0
    assert (session.inputs / "clip.mp4").read_bytes() == (media / "clip.mp4").read_bytes()


@pytest.mark.mount(ro=True)
def test_read_only(mount):
    with pytest.raises(OSError) as error:
        os.mkdir(mount.point / "s")
    assert error.value.errno == errno.EROFS
    assert "credits" in os.listdir(mount.point)


def test_names_with_spaces(backend, tmp_path):
    point = tmp_path / "my mount"
    point.mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = run([PROGRAM, "-o", f"api={backend.url},state_dir={tmp_path}/s t,cache_dir={tmp_path}/c", point], env=env)
    assert done.returncode == 0, done.stderr
    assert is_mounted(point)
    assert sh(f"mkdir '{point}/s' && ls -lR '{point}'").returncode == 0
    take_away(point)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_mount_command(backend, tmp_path):
    """What `mount -t fuse.lipsyncfs` and an fstab line come to."""
    point = tmp_path / "mnt"
    point.mkdir()
    env = {"PATH": f"{BUILD_DIR}/bin:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = run(["mount.fuse3", "none", point, "-t", "fuse.lipsyncfs", "-o", "rw,noexec,nosuid,nodev,user,_netdev,"
                f"api={backend.url},state_dir={tmp_path}/st,cache_dir={tmp_path}/c,allow_other"], env=env)
    assert done.returncode == 0, done.stderr
    try:
        assert "README.txt" in os.listdir(point)
        assert "lipsyncfs" in open("/proc/self/mountinfo").read()
    finally:
        take_away(point)
