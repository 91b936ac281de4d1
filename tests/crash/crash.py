#!/usr/bin/python3
"""Kills lipsyncfs again and again while it is used, mounts again, and looks whether anything was lost, doubled
or shown half.

    crash.py [KILLS] [--seed N] [--dir DIR]

BUILD_DIR names the build; there are bin/ and tests/crash/shim.so. Exit 0: nothing was wrong.
"""
import argparse
import collections
import contextlib
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "mount"))
import shim
from harness import BUILD_DIR, Backend, Mount, Session, Watchdog, wait_for

MOMENTS = {
    "create": shim.CREATE, "write": shim.WRITE, "sync": shim.SYNC, "rename": shim.RENAME, "unlink": shim.UNLINK,
    "mkdir": shim.MKDIR, "send": shim.SEND, "receive": shim.RECV, "answer": shim.ANSWER,
}
# What the registry writes matters most; the network's calls are many, so they are given more room.
REACH = {"create": 8, "write": 20, "sync": 12, "rename": 12, "unlink": 4, "mkdir": 3, "send": 30, "receive": 60,
         "answer": 120}


def wav(chance, size):
    """A true WAV file of `size` bytes of noise."""
    data = chance.randbytes(size & ~1)
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    return (b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + form +
            b"data" + struct.pack("<I", len(data)) + data)


def clip(directory):
    path = directory / "clip.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10:duration=1",
                    "-pix_fmt", "yuv420p", str(path)], check=True, stdin=subprocess.DEVNULL)
    return path.read_bytes()


class Known:
    """What must be true of a session: its files, each with the contents that it may have (None: absent)."""

    def __init__(self, name):
        self.name = name
        self.files = {}
        self.messages = []

    def expect(self, name, *contents):
        self.files[name] = set(contents)


class Crash:
    def __init__(self, directory, seed):
        self.chance = random.Random(seed)
        self.directory = directory
        self.backend = Backend(directory, ["--credits", 1000000])
        self.shim = shim.Shim(BUILD_DIR / "tests/crash/shim.so", directory / "shim.control")
        # With this wait it looks for what became of a message for longer than a busy machine takes to edit.
        self.mount = Mount(directory, self.backend.url, {"retry_wait": 0.4, "poll": 0.1}, self.shim.environment)
        # The backend gives an account one token a week: were we killed between its answer and the record of it,
        # nobody could do anything any more.
        assert (self.mount.point / "credits").read_text() and (self.mount.state / "token").exists()
        self.clip = clip(directory)
        self.sessions = []
        self.number = 0
        self.wrong = []
        self.kills = collections.Counter()

    def fail(self, text):
        print(f"WRONG: {text}", flush=True)
        self.wrong.append(text)

    def path(self, known):
        return Session(self.mount.point / known.name)

    # ---- what is done while the program is killed ----

    def put(self, known, name, content):
        """As cp does. The old content may be there until close() has said 0, then only the new one."""
        old = known.files.get(name, {None})
        known.expect(name, *old, content)
        with open(self.path(known).inputs / name, "wb", buffering=0) as file:
            for start in range(0, len(content), 50000):
                file.write(content[start:start + 50000])
        known.expect(name, content)

    def put_by_rename(self, known, name, content):
        """As rsync does. The rename is enough: what was there before may be what is there afterwards."""
        partial = f".{name}.part"
        known.expect(partial, *known.files.get(partial, {None}), None, content)
        with open(self.path(known).inputs / partial, "wb", buffering=0) as file:
            file.write(content)
        old = known.files.get(name, {None})
        known.expect(name, *old, content)
        os.rename(self.path(known).inputs / partial, self.path(known).inputs / name)

    def new_session(self):
        self.number += 1
        known = Known(f"session {self.number}")
        os.mkdir(self.mount.point / known.name)
        self.put(known, "clip.mp4", self.clip)
        self.put(known, "mark.wav", wav(self.chance, 2000))  # tells it from all others whatever its name
        self.sessions.append(known)

    def come_and_go(self):
        path = self.mount.point / "short-lived"
        os.mkdir(path)
        os.rmdir(path)

    def say(self, known):
        self.number += 1
        text = f'title "number {self.number}"'
        known.messages.append(text)
        self.path(known).say(text)
        if self.chance.random() < 0.5:
            self.path(known).reply()

    def swap_names(self):
        a, b = self.chance.sample(self.sessions, 2)
        names = a.name, b.name
        for old, new in ((names[0], "between"), (names[1], names[0]), ("between", names[1])):
            os.rename(self.mount.point / old, self.mount.point / new)
        b.name, a.name = names

    def step(self):
        chance = self.chance
        what = chance.random()
        if len(self.sessions) < 2 or (what < 0.04 and len(self.sessions) < 5):
            self.new_session()
            return
        known = chance.choice(self.sessions)
        name = f"voice-{chance.randrange(6)}.wav"
        if what < 0.4:
            self.put(known, name, wav(chance, chance.choice((100, 5000, 200000))))
        elif what < 0.55:
            self.put_by_rename(known, name, wav(chance, 3000))
        elif what < 0.8:
            self.say(known)
        elif what < 0.86:
            self.path(known).instruct.write_text("export\n")
        elif what < 0.93:
            self.swap_names()
        else:
            self.come_and_go()

    def work(self):
        """Until the mount is gone."""
        with contextlib.suppress(OSError):
            while True:
                self.step()

    # ---- what must be true afterwards ----

    def recognise(self):
        """Sessions by their marks, for a rename may or may not have been recorded."""
        found = {}
        for name in os.listdir(self.mount.point):
            mark = self.mount.point / name / "inputs/mark.wav"
            if mark.exists():
                found[mark.read_bytes()] = name
            elif (self.mount.point / name).is_dir():
                os.rmdir(self.mount.point / name)  # made a moment before the kill
        for known in self.sessions:
            mark, = known.files["mark.wav"]
            if mark not in found:
                self.fail(f"session {known.name} is gone; there are {sorted(found.values())}")
            else:
                known.name = found[mark]
        self.sessions = [s for s in self.sessions if s.files["mark.wav"] & found.keys()]

    def check_files(self, known):
        there = set(os.listdir(self.path(known).inputs))
        for name, contents in list(known.files.items()):
            path = self.path(known).inputs / name
            content = path.read_bytes() if name in there else None
            if content not in contents:
                self.fail(f"{known.name}/inputs/{name}: {content and len(content)} bytes, expected "
                          f"{[c and len(c) for c in contents]}")
            if content is None:
                del known.files[name]
            else:
                known.expect(name, content)
        for name in there - known.files.keys():
            self.fail(f"{known.name}/inputs/{name}: nobody wrote it to its end")

    def check_output(self, known):
        try:
            content = self.path(known).output.read_bytes()
        except FileNotFoundError:
            return False
        if content not in [p.read_bytes() for p in (self.directory / "backend/renders").glob("*.mp4")]:
            self.fail(f"{known.name}/output.mp4 is none of the backend's renders ({len(content)} bytes)")
        return True

    def check(self):
        words = self.mount.program.words()
        if "cannot be read" in words:
            self.fail("the registry did not load:\n" + words)
        self.recognise()
        for known in self.sessions:
            self.check_files(known)
            self.check_output(known)
        sent = collections.Counter(self.backend.messages())
        for text, times in sent.items():
            if times > 1:
                self.fail(f"sent {times} times: {text}")

    def check_rest(self):
        """When all is done that was left to do."""
        files = collections.defaultdict(set)
        accepted = set(self.backend.messages())
        for file in self.backend.files():
            files[file["session"]].add(self.backend.content(file))
        renders = collections.Counter(r["session"] for r in json.loads(self.backend.call("/_local/renders")))
        for known in self.sessions:
            record = self.record(known)
            here = files[record["session_id"]]
            for name, (content,) in known.files.items():
                if not name.startswith(".") and content not in here:
                    self.fail(f"{known.name}/inputs/{name} is not at the backend")
            edits = len(accepted & set(known.messages))
            if edits and not self.check_output(known):
                self.fail(f"{known.name} has no output.mp4 after {edits} edits: {self.path(known).status()}\n"
                          f"{self.path(known).history()[-2000:]}")
            if renders[record["session_id"]] > edits:
                self.fail(f"{known.name}: {renders[record['session_id']]} renders of {edits} edits")

    def record(self, known):
        for path in (self.mount.state / "sessions").glob("*/session.json"):
            record = json.loads(path.read_text())
            if record["name"] == known.name:
                return record
        raise AssertionError(f"{known.name} is not in the registry")

    # ---- one life of the program ----

    def choose(self):
        """A moment: a name, and what starts the wait for it."""
        if self.chance.random() < 0.2:
            after = self.chance.uniform(0.01, 0.8)
            return "timer", lambda: threading.Timer(after, self.mount.program.process.kill).start()
        name = self.chance.choice(list(MOMENTS))
        action = self.chance.choice((shim.KILL_BEFORE, shim.KILL_AFTER))
        after = int(REACH[name] * self.chance.random() ** 2)
        return name, lambda: self.shim.hit(MOMENTS[name], action, after)

    def live(self):
        name, begin = self.choose()
        begin()
        worker = threading.Thread(target=self.work)
        worker.start()
        limit = threading.Timer(5, self.mount.program.process.kill)  # a moment that does not come
        limit.start()
        self.mount.program.process.wait()
        limit.cancel()
        self.kills[name] += 1
        self.mount.crash()
        worker.join()
        self.shim.rest()
        self.mount.start()
        self.check()

    def settle(self):
        for known in self.sessions:
            session = self.path(known)
            wait_for(lambda: f"an end of {session.status()}",
                     lambda: session.status()[""] in ("idle", "ready", "failed"), 60)
            if session.status()[""] == "failed" and "upload" in session.status():
                self.fail(f"{known.name}: {session.text('status.txt')}")

    def run(self, kills):
        begin = time.monotonic()
        for number in range(kills):
            dog = Watchdog(120)
            self.live()
            dog.end()
            if self.wrong:
                break
            if (number + 1) % 20 == 0:
                print(f"{number + 1} kills, {time.monotonic() - begin:.0f} s", flush=True)
        if not self.wrong:
            self.settle()
            self.check()
            self.check_rest()
            self.mount.unmount()
            if not self.backend.messages() or not self.backend.files():
                self.fail("nothing reached the backend")
        print(f"{sum(self.kills.values())} kills ({', '.join(f'{n} {c}' for n, c in self.kills.items())}), "
              f"{len(self.backend.messages())} messages, {len(self.backend.files())} uploads, "
              f"{len(self.wrong)} wrong", flush=True)
        return not self.wrong

    def end(self):
        self.mount.destroy()
        self.backend.program.kill()


DIR_HELP = "where all is kept (default: a new directory, removed if nothing was wrong)"


def run_in(prefix, given, make, amount):
    """The exit status of a run in the given directory, or in a new one."""
    directory = Path(given or tempfile.mkdtemp(prefix=prefix))
    directory.mkdir(exist_ok=True)
    print(f"in {directory}", flush=True)
    work = make(directory)
    try:
        good = work.run(amount)
    finally:
        work.end()
    if good and not given:
        shutil.rmtree(directory)
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kills", type=int, nargs="?", default=300)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--dir", help=DIR_HELP)
    options = parser.parse_args()
    seed = random.randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    return run_in("crash-", options.dir, lambda directory: Crash(directory, seed), options.kills)


if __name__ == "__main__":
    sys.exit(main())
