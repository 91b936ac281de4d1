#!/usr/bin/python3
"""Lets the n-th allocation of lipsyncfs fail, or its n-th call of the disk, for one n after the other, while it is
used, unmounted and mounted: an errno at worst, and nothing is lost.

    nth.py memory|disk [--steps COUNT] [--dir DIR]     default: every n

BUILD_DIR names the build; there are bin/ and tests/crash/shim.so. Exit 0: nothing was wrong.
"""
import argparse
import collections
import errno
import hashlib
import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "mount"))
import shim
from crash import DIR_HELP, clip, run_in, wav
from harness import BUILD_DIR, Backend, Mount, Session, Watchdog, is_mounted, run, wait_for

# What fails, with which errno; how many such calls there are at least in use and at the mount.
KINDS = {"memory": (shim.ALLOC, errno.ENOMEM, 1200, 200), "disk": (shim.DISK, errno.EIO, 280, 45)}
ALLOWED = {0, errno.ENOMEM, errno.EIO, errno.ENOENT, errno.EPROTO, errno.EREMOTEIO, errno.EAGAIN}


class Life:
    """One session: what was done there, and what has to be true from then on."""

    def __init__(self, nth, name):
        self.nth = nth
        self.session = Session(nth.mount.point / name)
        self.title = f'title "{name}"'
        self.made = False
        self.kept = {}
        self.said = None

    def attempt(self, what, call):
        """True if it went well."""
        try:
            call()
        except OSError as error:
            if error.errno not in ALLOWED:
                self.nth.fail(f"{what}: {errno.errorcode.get(error.errno, error.errno)}")
            return False
        return True

    def put(self, name, content):
        path = self.session.inputs / name
        if self.attempt(f"cp {name}", lambda: path.write_bytes(content)):
            self.kept[name] = content

    def put_by_rename(self, name, content):
        partial = self.session.inputs / f".{name}.part"
        if self.attempt("write", lambda: partial.write_bytes(content)):
            if self.attempt("rename", lambda: os.rename(partial, self.session.inputs / name)):
                self.kept[name] = content

    def reply(self):
        done = run(["timeout", "-s", "KILL", "20", "cat", self.session / "reply.txt"])
        if done.returncode == -9 or done.returncode == 137:
            self.nth.fail("reply.txt has no end")

    def live(self):
        """What users do."""
        session = self.session
        self.made = self.attempt("mkdir", lambda: os.mkdir(session))
        if not self.made:
            return
        self.put("clip.mp4", self.nth.clip)
        self.put_by_rename("x.wav", wav(random.Random(1), 500))
        self.said = self.attempt("message", lambda: session.say(self.title))
        self.reply()
        for name in ("state.json", "timeline.txt", "credits", "status.txt", "history.txt"):
            self.attempt(name, lambda name=name: session.text(name))
        self.attempt("ls", lambda: os.listdir(session.inputs))
        for words in ("status", "credits", "export"):
            self.attempt(words, lambda words=words: session.say(words))
            self.reply()
        self.attempt("read", lambda: session.output.read_bytes())
        moved = self.nth.mount.point / "moved"
        if self.attempt("mv", lambda: os.rename(session, moved)):
            while not self.attempt("mv", lambda: os.rename(moved, session)):
                pass

    def check(self):
        """In the next life, in which nothing fails."""
        if not self.made:
            return
        session, nth = self.session, self.nth
        wait_for("a state of rest", lambda: session.status()[""] in ("idle", "ready", "failed"))
        for name, content in self.kept.items():
            if (session.inputs / name).read_bytes() != content:
                nth.fail(f"{name} has changed")
        sent = {file["sha256"] for file in nth.backend.files()}
        if "clip.mp4" in self.kept and hashlib.sha256(self.kept["clip.mp4"]).hexdigest() not in sent:
            nth.fail("clip.mp4 is not at the backend")
        times = nth.backend.messages().count(self.title)
        if times > 1 or (self.said and not times and "failed" not in session.status()[""]):
            nth.fail(f"the message was sent {times} times")
        session.say("status")
        if "Timeline" not in session.reply():
            nth.fail(f"a later reply is {session.reply()!r}")


class Nth:
    def __init__(self, directory, what):
        self.kinds, self.error, self.use_reach, self.mount_reach = KINDS[what]
        self.directory = directory
        self.backend = Backend(directory, ["--credits", 1000000])
        self.shim = shim.Shim(BUILD_DIR / "tests/crash/shim.so", directory / "shim.control")
        self.clip = clip(directory)
        self.wrong = []
        self.now = ""
        self.counts = collections.Counter()
        self.mount = Mount(directory, self.backend.url, {"retry_wait": 0.1, "poll": 0.1}, self.shim.environment)

    def fail(self, text):
        print(f"WRONG at {self.now}: {text}", flush=True)
        self.wrong.append(text)

    def arm(self, number):
        self.shim.hit(self.kinds, shim.FAIL, after=number, error=self.error)

    def rest(self):
        """True if there was such a call."""
        hit = self.shim.hits() > 0
        self.shim.rest()
        self.counts[self.now.split()[0]] += hit
        return hit

    def new_life(self):
        if self.mount.program.running():
            self.fail("it is still running")
        status = self.mount.program.wait()
        if status not in (0, 1) or "cannot be read" in self.mount.program.words().rsplit("LIFE", 1)[-1]:
            self.fail(f"exit status {status}:\n{self.mount.program.words()[-3000:]}")
        if is_mounted(self.mount.point):
            run(["fusermount3", "-u", "-z", self.mount.point])
        with open(self.mount.log, "a") as log:
            log.write("LIFE\n")
        self.mount.start()

    def end_life(self):
        """Without a check that all is well: it may have ended by itself, which new_life tells."""
        wait_for("the unmount", lambda: run(["fusermount3", "-u", self.mount.point]).returncode == 0 or
                 not is_mounted(self.mount.point))
        self.mount.program.process.wait(30)

    def step_use(self, number):
        """From the first call to the unmount."""
        self.now = f"use {number}"
        life = Life(self, f"s {number}")
        os.listdir(self.mount.point)  # it is not only there, it answers
        self.arm(number)
        life.live()
        if not self.mount.program.running():
            self.fail("it has ended")
        self.end_life()
        hit = self.rest()
        self.new_life()
        life.check()
        if life.made:
            os.rmdir(life.session)
        return hit

    def step_mount(self, number, life):
        """From the start with a registry to the end of what is done then."""
        self.now = f"mount {number}"
        self.end_life()
        self.arm(number)
        try:
            self.mount.start()
        except AssertionError:
            pass  # it did not start, and said so
        if self.mount.program.running():
            life.attempt("ls", lambda: os.listdir(self.mount.point))
            life.attempt("read", lambda: (life.session.inputs / "clip.mp4").read_bytes())
            life.attempt("status", lambda: life.session.text("status.txt"))
            self.end_life()
        hit = self.rest()
        # A record that could not be read is read the next time.
        with open(self.mount.log, "a") as log:
            log.write("LIFE\n")
        self.new_life()
        life.check()
        return hit

    def steps(self, step, reach, count, *arguments):
        """Every n until there is no such call; or `count` of the `reach` likely ones."""
        numbers = range(1_000_000) if count is None else sorted(random.Random(count).sample(range(reach), count))
        begin = time.monotonic()
        for number in numbers:
            dog = Watchdog(120)
            hit = step(number, *arguments)
            dog.end()
            if self.wrong or not hit:
                break
            if number % 100 == 99:
                print(f"{self.now}, {time.monotonic() - begin:.0f} s", flush=True)

    def run(self, count):
        self.steps(self.step_use, self.use_reach, count and count * 3 // 4)
        if not self.wrong:
            life = Life(self, "kept")
            life.live()
            self.steps(self.step_mount, self.mount_reach, count and count // 4, life)
        if not self.wrong:
            self.mount.unmount()
        print(f"{self.counts['use']} calls failed in use, {self.counts['mount']} at the mount, "
              f"{len(self.wrong)} wrong", flush=True)
        return not self.wrong

    def end(self):
        self.mount.destroy()
        self.backend.program.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=KINDS)
    parser.add_argument("--steps", type=int, help="so many only, spread over the way")
    parser.add_argument("--dir", help=DIR_HELP)
    options = parser.parse_args()
    return run_in(f"{options.what}-", options.dir, lambda directory: Nth(directory, options.what), options.steps)


if __name__ == "__main__":
    sys.exit(main())
