"""The disk is full or broken, the clock goes back: an errno, and nothing is lost."""
import errno
import hashlib
import os
import shutil
import random
import threading
import time
from functools import partial

import pytest

import shim as shim_module
from crash import wav
from harness import error_of, run, wait_for


def sent(backend):
    return {file["sha256"] for file in backend.files()}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def noise(size, seed=1):
    return wav(random.Random(seed), size)


def survives(mount, kept):
    """What was kept is there, now and in the next life."""
    for _ in range(2):
        for path, content in kept.items():
            assert path.read_bytes() == content
        mount.crash()
        mount.start()
    assert "cannot be read" not in mount.program.words()


def test_full_disk(backend, small_disk):
    mount = small_disk
    session = mount.session()
    session.wait_status("idle")
    kept = {session.inputs / "a.wav": noise(1_000_000)}
    (session.inputs / "a.wav").write_bytes(noise(1_000_000))
    done = run(["cp", "/dev/stdin", session.inputs / "b.wav"], stdin=noise(9_000_000))
    assert done.returncode and "No space left" in done.stderr
    assert run(["rm", "-f", session.inputs / "b.wav"]).returncode == 0
    # The kernel lets go of what cp had open when it likes.
    wait_for("its room", lambda: shutil.disk_usage(mount.disk).free > 6_000_000)
    full = fill(mount.disk)  # for the registry either
    assert error_of(lambda: session.say("sync the voice")) == errno.ENOSPC
    assert backend.messages() == []
    assert error_of(lambda: (session.inputs / "c.wav").write_bytes(noise(1000))) == errno.ENOSPC
    assert os.listdir(mount.point)
    survives(mount, kept)
    os.unlink(full)
    # With room again everything goes on.
    (session.inputs / "d.wav").write_bytes(noise(3000, 4))
    assert sha256(noise(3000, 4)) in sent(backend)
    session.say("status")
    assert session.reply()
    kept[session.inputs / "d.wav"] = noise(3000, 4)
    survives(mount, kept)


def fill(disk):
    """Not a byte is left."""
    path = disk / "full"
    with open(path, "wb", buffering=0) as file:
        while error_of(lambda: file.write(bytes(4096))) == 0:
            pass
    return path


def test_full_state(backend, small_disks):
    """The cache has room for files, but nothing can be written down of them."""
    mount, session = small_disks, small_disks.session()
    (session.inputs / "a.wav").write_bytes(noise(100_000))
    kept = {session.inputs / "a.wav": noise(100_000)}
    full = fill(mount.disks["state"])
    assert error_of(lambda: (session.inputs / "b.wav").write_bytes(noise(1000, 2))) == errno.ENOSPC
    assert error_of(lambda: session.say("sync the voice")) == errno.ENOSPC
    assert error_of(lambda: os.mkdir(mount.point / "never")) == errno.ENOSPC
    assert backend.messages() == [] and "never" not in os.listdir(mount.point)
    assert "No space left" in session.text("status.txt")
    survives(mount, kept)
    os.unlink(full)
    (session.inputs / "b.wav").write_bytes(noise(1000, 3))
    kept[session.inputs / "b.wav"] = noise(1000, 3)
    assert sha256(noise(1000, 3)) in sent(backend)
    survives(mount, kept)


def test_full_cache(backend, small_disks, media):
    """Messages need no room there; a video that finds none is told of, and made again when there is room."""
    mount, session = small_disks, small_disks.session()
    for name in ("clip.mp4", "voice.wav"):
        assert run(["cp", media / name, session.inputs]).returncode == 0
    kept = {session.inputs / name: (media / name).read_bytes() for name in ("clip.mp4", "voice.wav")}
    full = fill(mount.disks["cache"])
    assert error_of(lambda: (session.inputs / "b.wav").write_bytes(noise(100_000, 2))) == errno.ENOSPC
    os.mkdir(mount.point / "another")
    session.say('title "a"')
    reply = session.reply()
    assert "There is no output.mp4" in reply and "No space left" in reply, reply
    assert not session.output.exists()
    assert len(backend.messages()) == 1
    survives(mount, kept)
    os.unlink(full)
    session.say("export")
    assert "output.mp4 is ready" in session.reply()
    assert session.output.read_bytes() == backend.rendered(session)
    survives(mount, kept | {session.output: session.output.read_bytes()})
    assert "another" in os.listdir(mount.point)


@pytest.mark.parametrize("kinds", ["CREATE", "WRITE", "SYNC", "RENAME"])
def test_broken_disk(backend, mount, session, shim, kinds):
    session.wait_status("idle")
    (session.inputs / "a.wav").write_bytes(noise(1000))
    kept = {session.inputs / "a.wav": noise(1000)}
    os.mkdir(mount.point / "earlier")
    shim.hit(getattr(shim_module, kinds), shim_module.FAIL, times=shim_module.FOREVER, error=errno.EIO)
    assert error_of(lambda: (session.inputs / "b.wav").write_bytes(noise(1000, 2))) == errno.EIO
    assert error_of(lambda: session.say("sync the voice")) == errno.EIO
    assert backend.messages() == []
    # What cannot be recorded is not made; what is there goes on, and is saved when the disk works again.
    assert error_of(lambda: os.mkdir(mount.point / "never")) == errno.EIO
    assert "never" not in os.listdir(mount.point)
    assert error_of(lambda: os.rename(mount.point / "earlier", mount.point / "later")) == 0
    shim.rest()
    wait_for("the record", lambda: any('"later"' in p.read_text() for p in
                                       (mount.state / "sessions").glob("*/session.json")))
    survives(mount, kept)
    assert "later" in os.listdir(mount.point) and "never" not in os.listdir(mount.point)


def cache_folder(mount):
    folder, = (d for d in mount.cache.iterdir() if d.is_dir())
    return folder


@pytest.mark.parametrize("name", ["a.wav", ".a.wav.part"])
def test_names_in_the_cache_are_synced(mount, session, shim, name):
    """What close() promised has a name on disk, too, or a power cut would take it."""
    session.wait_status("idle")
    shim.hit(shim_module.SYNC, shim_module.FAIL, times=shim_module.FOREVER, error=errno.EIO,
             only=cache_folder(mount).stat().st_ino)
    assert error_of(lambda: (session.inputs / name).write_bytes(noise(1000))) == errno.EIO
    shim.rest()
    assert error_of(lambda: (session.inputs / name).write_bytes(noise(1000))) == 0


def test_every_content_is_synced(backend, mount, session, shim):
    """Whatever else waits to be synced: a hundred files on their way, and one that has arrived."""
    session.wait_status("idle")
    backend.fault("upload", times=100, hold=True)
    others = [threading.Thread(target=error_of, args=(partial((session.inputs / f"{n}.wav").write_bytes, noise(200, n)),))
              for n in range(100)]
    for thread in others:
        thread.start()
    wait_for("them to be on their way", lambda: backend.held("upload") == 100, 30)
    before = set(cache_folder(mount).iterdir())
    with open(session.inputs / "last.wav", "wb", buffering=0) as file:
        file.write(noise(1000))
        content, = set(cache_folder(mount).iterdir()) - before
        shim.hit(shim_module.SYNC, shim_module.FAIL, times=shim_module.FOREVER, error=errno.EIO,
                 only=content.stat().st_ino)
        assert error_of(file.close) == errno.EIO
    shim.rest()
    backend.no_faults()
    for thread in others:
        thread.join()


@pytest.mark.parametrize("after", range(4))
def test_a_mkdir_that_failed_made_nothing(mount, session, shim, after):
    session.wait_status("idle")
    shim.hit(shim_module.SYNC, shim_module.FAIL, after=after, error=errno.EIO)
    failed = error_of(lambda: os.mkdir(mount.point / "t"))
    shim.rest()
    assert failed in (0, errno.EIO)
    assert ("t" in os.listdir(mount.point)) == (not failed)
    mount.remount()
    assert ("t" in os.listdir(mount.point)) == (not failed)


def test_a_slow_disk_holds_up_no_other_session(mount, session, shim):
    """A large input goes to it, and whoever changes names elsewhere has its directory locked meanwhile."""
    session.wait_status("idle")
    file = open(session.inputs / "a.wav", "wb", buffering=0)
    file.write(noise(1000))
    content, = cache_folder(mount).iterdir()
    shim.hit(shim_module.SYNC, shim_module.HOLD, only=content.stat().st_ino)
    closer = threading.Thread(target=file.close)
    closer.start()
    try:
        wait_for("its sync", lambda: shim.hits() == 1)
        for command in ["mkdir", mount.point / "t"], ["mv", mount.point / "t", mount.point / "u"], ["rmdir", mount.point / "u"]:
            assert run(command, timeout=10).returncode == 0
        assert closer.is_alive()
    finally:
        shim.rest()
        closer.join()


def test_unreadable_content(mount, session, shim):
    (session.inputs / "a.wav").write_bytes(noise(1000))
    shim.hit(shim_module.READ, shim_module.FAIL, times=shim_module.FOREVER, error=errno.EIO)
    mount_reads = lambda: os.close(os.open(session.inputs / "a.wav", os.O_RDONLY))
    assert error_of(mount_reads) == 0
    assert run(["dd", "iflag=direct", f"if={session.inputs}/a.wav", "of=/dev/null"]).returncode != 0
    shim.rest()
    assert (session.inputs / "a.wav").read_bytes() == noise(1000)


def test_clock_set_back(backend, mount, session, media, shim):
    for name in ("clip.mp4", "voice.wav"):
        assert run(["cp", media / name, session.inputs]).returncode == 0
    for offset in (-86400 * 400, 0, 86400 * 3):
        shim.set_clock(offset)
        before = len(backend.messages())
        begin = time.monotonic()
        session.say(f'title "at {offset}"')
        assert "output.mp4 is ready" in session.reply()
        assert time.monotonic() - begin < 30
        assert len(backend.messages()) == before + 1
        mount.remount()
        session.wait_status("ready")
