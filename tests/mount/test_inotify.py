"""Who watches a directory sees what happens in it."""
import os
import select
import signal
import subprocess
import threading
import time

import pytest

from harness import PATIENCE, abort_connection, ended, run, sh, wait_for

STORM_S = float(os.environ.get("STORM_S", 10))


class Watcher:
    def __init__(self, *paths):
        self.process = subprocess.Popen(["inotifywait", "-m", "--format", "%w %e %f", *map(str, paths)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        line = b""
        while b"Watches established" not in line:
            line = self.process.stderr.readline()
            assert line
        self.seen = []

    def wait(self, event, name, timeout=20):
        """Until such an event comes; everything before it is kept in `seen`."""
        deadline = time.monotonic() + timeout * PATIENCE
        while True:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {event} of {name}: {self.seen}"
            line = os.read(self.process.stdout.fileno(), 65536).decode()
            for entry in line.splitlines():
                self.seen.append(entry)
                words = entry.split(" ")
                if len(words) >= 3 and event in words[-2] and words[-1] == name:
                    return


@pytest.fixture
def edited(session, media):
    for name in ("clip.mp4", "voice.wav"):
        assert run(["cp", media / name, session.inputs]).returncode == 0
    return session


def test_output_comes_and_goes(edited):
    watcher = Watcher(edited.path)
    with ended(watcher.process):
        edited.say("sync this voiceover to the speaker")
        watcher.wait("MOVED_TO", "output.mp4")
        assert edited.output.exists()
        edited.reply()
        edited.say("trim to 2 s")
        watcher.wait("DELETE", "output.mp4")
        watcher.wait("MOVED_TO", "output.mp4")
        edited.reply()


@pytest.mark.parametrize("line", ["cp $HALF inputs/x.mp4", "{ cat $CLIP; kill -9 $$; } > inputs/x.mp4"])
def test_an_input_goes_by_itself(session, media, tmp_path, line):
    """Of a cancelled copy, a killed writer."""
    clip, half = media / "clip.mp4", tmp_path / "half.mp4"
    half.write_bytes(clip.read_bytes()[:100_000])
    watcher = Watcher(session.path, session.inputs)
    with ended(watcher.process):
        session.say("make it softer")
        watcher.wait("CLOSE_WRITE", "status.txt")  # from now on it is known that somebody watches
        session.reply()
        assert sh(line, cwd=session.path, env={**os.environ, "CLIP": str(clip), "HALF": str(half)}).returncode != 0
        watcher.wait("DELETE", "x.mp4")
    assert os.listdir(session.inputs) == []


def test_status_changes(session):
    session.wait_status("idle")
    watcher = Watcher(session.path)
    with ended(watcher.process):
        session.say("make it softer")
        deadline = time.monotonic() + 10 * PATIENCE
        while not any("status.txt" in e for e in watcher.seen):
            ready, _, _ = select.select([watcher.process.stdout], [], [], deadline - time.monotonic())
            assert ready, watcher.seen
            watcher.seen += os.read(watcher.process.stdout.fileno(), 65536).decode().splitlines()


def test_sessions_come_and_go(mount):
    watcher = Watcher(mount.point)
    with ended(watcher.process):
        mount.session("a")
        watcher.wait("CREATE,ISDIR", "a")
        os.rename(mount.point / "a", mount.point / "b")
        watcher.wait("MOVED_TO,ISDIR", "b")
        os.rmdir(mount.point / "b")
        watcher.wait("DELETE,ISDIR", "b")


def test_listings_are_fresh(mount, edited):
    """Cached, and yet never old: every listing right after a change shows it."""
    for number in range(20):
        names = set(os.listdir(mount.point))
        os.mkdir(mount.point / f"n{number}")
        assert set(os.listdir(mount.point)) == names | {f"n{number}"}
    assert "output.mp4" not in os.listdir(edited.path)
    edited.say("sync this voiceover to the speaker")
    edited.reply()
    assert "output.mp4" in os.listdir(edited.path)
    edited.say("trim to 2 s")
    wait_for("it to go", lambda: "output.mp4" not in os.listdir(edited.path))
    edited.reply()
    assert "output.mp4" in os.listdir(edited.path)


class Storm:
    """Listings, changes, messages and copies by threads of this process, as fast as they go."""

    def __init__(self, mount, media):
        self.mount, self.media = mount, media
        self.sessions = [mount.session(f"s{i}") for i in range(4)]
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.repeat, args=(action,), daemon=True) for action in
                        (self.lists, self.lists, self.makes, self.makes, self.says, self.copies)]
        for thread in self.threads:
            thread.start()

    def repeat(self, action):
        while not self.stop.is_set():
            try:
                action()
            except OSError:
                pass

    def lists(self):
        for root, _, names in os.walk(self.mount.point):
            for name in names:
                os.stat(os.path.join(root, name))

    def makes(self):
        name = self.mount.point / str(threading.get_ident())
        os.mkdir(name)
        os.rename(name, f"{name} renamed")
        os.rmdir(f"{name} renamed")

    def says(self):
        for session in self.sessions:
            session.say('add the title "Storm"')

    def copies(self):
        for session in self.sessions:
            (session.inputs / "v.mp3").write_bytes((self.media / "voice.mp3").read_bytes())

    def end(self, patience=30):
        """How many of the threads hang."""
        self.stop.set()
        for thread in self.threads:
            thread.join(patience * PATIENCE)
        return sum(thread.is_alive() for thread in self.threads)


@pytest.mark.limit(60 + 4 * STORM_S)
def test_storm(mount, media):
    """With watchers, and unmounts in the middle: no deadlock."""
    end = time.monotonic() + STORM_S
    while time.monotonic() < end:
        storm = Storm(mount, media)
        watcher = Watcher(mount.point, *(s.path for s in storm.sessions))
        with ended(watcher.process):
            drain = threading.Thread(target=watcher.process.stdout.read)
            drain.start()
            storm.stop.wait(5)
            run(["fusermount3", "-u", "-z", mount.point])
            assert storm.end() == 0
            watcher.process.terminate()
            drain.join()
        mount.finish()
        mount.start()
        for session in storm.sessions:
            session.path.rmdir()


@pytest.mark.limit(180)
def test_killed_in_a_storm(mount, media, tmp_path):
    """Nobody hangs on a program that was killed, not even its own threads."""
    for _ in range(3):
        device = os.stat(mount.point).st_dev
        storm = Storm(mount, media)
        storm.stop.wait(2)
        os.killpg(mount.program.pid, signal.SIGKILL)
        hanging = storm.end(5)
        if hanging:
            abort_connection(device, tmp_path)
        assert hanging == 0
        mount.crash()
        for session in storm.sessions:
            assert not session.path.exists()
        mount.start()
        for session in storm.sessions:
            session.path.rmdir()
