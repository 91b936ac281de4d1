"""The kernel keeps the pages of an input from one open to the next, and never shows old ones.

All contents have one size and all files one time, so neither tells the kernel that something changed.
"""
import mmap
import os
import signal

import pytest

from harness import ended, spawn, wait_for

SIZE = 2_000_000
TIME = 1_700_000_000


def sound(number):
    """A WAV file, each number another."""
    return b"RIFF" + (SIZE - 8).to_bytes(4, "little") + b"WAVE" + number.to_bytes(2, "little") * ((SIZE - 12) // 2)


def put(path, data):
    path.write_bytes(data)
    os.utime(path, (TIME, TIME))


def read_by_daemon(mount):
    with open(f"/proc/{mount.program.pid}/io") as file:
        return int(file.readline().split()[1])


def write_over(path, data):
    put(path, data)


def write_in_place(path, data):
    with open(path, "r+b") as file:
        file.write(data)


def rename_over(path, data):
    put(path.with_name("x.wav.part"), data)
    os.rename(path.with_name("x.wav.part"), path)


def map_it(path, data):
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[:] = data


CHANGES = [write_over, write_in_place, rename_over, map_it]


def test_unchanged_content_is_not_asked_for_again(mount, session):
    x = session.inputs / "x.wav"
    put(x, sound(1))
    for _ in range(2):
        assert x.read_bytes() == sound(1)
    before = read_by_daemon(mount)
    assert x.read_bytes() == sound(1)
    assert read_by_daemon(mount) - before < SIZE / 4


@pytest.mark.parametrize("change", CHANGES)
def test_changed_content_is_shown(session, change):
    x = session.inputs / "x.wav"
    put(x, sound(0))
    for number in range(1, 5):
        for _ in range(2):
            assert x.read_bytes() == sound(number - 1)
        change(x, sound(number))
        os.utime(x, (TIME, TIME))
        assert x.read_bytes() == sound(number)


def test_what_a_killed_writer_leaves_is_the_old_content(session, tmp_path):
    x = session.inputs / "x.wav"
    put(x, sound(0))
    (tmp_path / "new").write_bytes(sound(1))
    for _ in range(3):
        assert x.read_bytes() == sound(0)
        with ended(spawn(f"{{ cat {tmp_path}/new; exec sleep 60; }} 1<>{x}")) as writer:
            wait_for("the new bytes", lambda: x.read_bytes() == sound(1))
            os.utime(x, (TIME, TIME))
            os.killpg(writer.pid, signal.SIGKILL)
            writer.wait(10)
        assert x.read_bytes() == sound(0)


def test_an_interrupted_upload_leaves_the_old_content(backend, session, tmp_path):
    x = session.inputs / "x.wav"
    put(x, sound(0))
    (tmp_path / "new").write_bytes(sound(1))
    for _ in range(3):
        assert x.read_bytes() == sound(0)
        backend.fault("upload", stall="request", stall_after=1000)
        with ended(spawn(["cp", tmp_path / "new", x])) as writer:
            wait_for("the upload", lambda: backend.held("upload"))
            assert x.read_bytes() == sound(1)
            writer.send_signal(signal.SIGINT)
            writer.wait(10)
        assert x.read_bytes() == sound(0)
        backend.no_faults()
        wait_for("the upload to stop", lambda: not backend.held("upload"))


@pytest.mark.mount(cache_size="5M")
def test_content_that_was_fetched_again(session):
    x = session.inputs / "x.wav"
    put(x, sound(0))
    assert x.read_bytes() == sound(0)
    for number in range(1, 5):
        put(session.inputs / f"{number}.wav", sound(number))
    for _ in range(2):
        for number in range(5):
            path = session.inputs / (f"{number}.wav" if number else "x.wav")
            assert path.read_bytes() == sound(number)
