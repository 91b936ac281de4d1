#!/usr/bin/python3
"""Eight clients use a mount whose network fails in one of ten exchanges; then looks whether anything was lost or doubled.

    chaos.py [SECONDS] [--seed N] [--share PERCENT] [--dir DIR]

BUILD_DIR names the build. Exit 0: nothing was wrong.
"""
import argparse
import collections
import errno
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "mount"), str(TESTS / "crash")]
from crash import clip, wav
from harness import SANITIZED, Backend, Mount, Session, wait_for
from proxy import Proxy

CLIENTS = 8
STUCK_S = 120  # no call takes that long
SAMPLES = 20   # of what the program takes
GROWTH_KB = 5000  # between the second quarter of the time and the last; a burst leaves something behind
# The table of the interface, and what a name already taken or gone gives.
TABLE = {errno.EOPNOTSUPP, errno.EFBIG, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EAGAIN, errno.EHOSTUNREACH,
         errno.ECONNREFUSED, errno.ETIMEDOUT, errno.EREMOTEIO, errno.EPROTO, errno.ENOSPC, errno.EBADMSG}


class Client(threading.Thread):
    def __init__(self, chaos, number):
        super().__init__()
        self.chaos = chaos
        self.chance = random.Random(chaos.seed * 100 + number)
        self.number = number
        self.session = Session(chaos.mount.point / f"client {number}")
        self.kept = {}  # what close() said 0 of
        self.background = set()  # of these, what is uploaded behind their back
        self.texts = []  # messages whose close said 0
        self.errors = collections.Counter()
        self.slowest = 0.0

    def attempt(self, what, call):
        begin = time.monotonic()
        try:
            call()
            return True
        except FileNotFoundError:
            return False  # no output.mp4 yet
        except OSError as error:
            self.errors[errno.errorcode.get(error.errno, str(error.errno))] += 1
            if error.errno not in TABLE:
                self.chaos.fail(f"client {self.number}: {what}: {error}")
            return False
        finally:
            self.slowest = max(self.slowest, time.monotonic() - begin)

    def put(self, name, content):
        self.background.discard(name)
        if self.attempt(name, lambda: (self.session.inputs / name).write_bytes(content)):
            self.kept[name] = content
        else:
            self.kept.pop(name, None)

    def put_by_rename(self, name, content):
        """As rsync does: uploaded in the background, so only the mount is sure to have it."""
        partial = self.session.inputs / f".{name}.part"
        if self.attempt(partial.name, lambda: partial.write_bytes(content)) and \
                self.attempt(name, lambda: os.rename(partial, self.session.inputs / name)):
            self.kept[name] = content
            self.background.add(name)

    def say(self):
        text = f'title "client {self.number} says {len(self.texts)} {self.chance.random()}"'
        if self.attempt("instruct", lambda: self.session.say(text)):
            self.texts.append(text)
            self.attempt("reply.txt", lambda: self.session.text("reply.txt"))

    def run(self):
        self.attempt("mkdir", lambda: os.mkdir(self.session.path))
        self.put("clip.mp4", self.chaos.clip)
        while time.monotonic() < self.chaos.deadline and self.chaos.mount.program.running():
            what = self.chance.random()
            if what < 0.35:
                self.put(f"voice-{self.chance.randrange(8)}.wav", wav(self.chance, self.chance.choice((500, 100000))))
            elif what < 0.4:
                self.put_by_rename(f"voice-{self.chance.randrange(8)}.wav", wav(self.chance, 3000))
            elif what < 0.6:
                self.say()
            elif what < 0.9:
                name = self.chance.choice(("state.json", "timeline.txt", "credits", "status.txt", "history.txt"))
                self.attempt(name, lambda: self.session.text(name))
            else:
                self.attempt("output.mp4", self.session.output.read_bytes)


class Chaos:
    def __init__(self, directory, options):
        self.seed = options.seed
        self.wrong = []
        self.backend = Backend(directory, ["--credits", 1000000])
        self.proxy = Proxy(self.backend.port, 0, options.seed)
        self.mount = Mount(directory, f"http://127.0.0.1:{self.proxy.port}",
                           {"retry_wait": 0.1, "poll": 0.1, "turn_timeout": 20, "render_timeout": 60})
        # The backend gives an account one token a week: one that is lost on its way is lost.
        assert (self.mount.point / "credits").read_text()
        self.clip = clip(directory)
        self.share = options.share / 100
        self.seconds = options.seconds
        self.deadline = time.monotonic() + options.seconds

    def fail(self, text):
        print(f"WRONG: {text}", flush=True)
        self.wrong.append(text)

    def run(self):
        clients = [Client(self, n) for n in range(CLIENTS)]
        samples = []
        self.proxy.share = self.share
        for client in clients:
            client.start()
        while clients[0].is_alive() and time.monotonic() < self.deadline + STUCK_S and self.mount.program.running():
            samples.append(self.resources())
            clients[0].join(self.seconds / SAMPLES)
        for client in clients:
            client.join(max(0, self.deadline + STUCK_S - time.monotonic()))
            if client.is_alive():
                self.fail(f"client {client.number} is stuck")
        self.proxy.share = 0
        if not self.mount.program.running():
            self.fail(f"the program has ended: {self.mount.program.words()[-3000:]}")
            return
        if not self.wrong:
            self.settle(clients)
            self.check(clients)
        self.check_resources(samples)
        errors = sum((c.errors for c in clients), collections.Counter())
        print(f"{dict(self.proxy.count)}\nerrors met: {dict(errors)}; slowest call "
              f"{max(c.slowest for c in clients):.1f} s; {sum(len(c.texts) for c in clients)} messages, "
              f"{len(self.backend.files())} uploads, {len(self.wrong)} wrong", flush=True)

    def settle(self, clients):
        for client in clients:
            client.session.wait_status("idle", "ready", "failed", timeout=60)

    def check(self, clients):
        sent = collections.Counter(self.backend.messages())
        if not sent or not self.backend.files():
            self.fail("nothing reached the backend")
        for text, times in sent.items():
            if times > 1:
                self.fail(f"sent {times} times: {text}")
        at_backend = {self.backend.content(f) for f in self.backend.files()}
        for client in clients:
            for text in client.texts:
                if text not in sent and "The connection broke" not in client.session.history():
                    self.fail(f"never sent, and nothing said: {text}")
            for name, content in client.kept.items():
                if (client.session.inputs / name).read_bytes() != content:
                    self.fail(f"client {client.number}: {name} is not what was written")
                failed = name in client.background and name in client.session.status().get("upload", "")
                if content not in at_backend and not failed:
                    self.fail(f"client {client.number}: {name} is not at the backend")
            # An upload that failed in the background is told once, by an open of instruct.
            wait_for("an export", lambda: client.attempt("export", lambda: client.session.say("export")))
            if "nothing to render" in client.session.reply():
                continue  # its clip, or all its messages, met an error
            wait_for(lambda: f"output.mp4 of {client.number}: {client.session.text('status.txt')}",
                     client.session.output.exists, 60)
            renders = [p.read_bytes() for p in (self.backend.directory / "backend/renders").glob("*.mp4")]
            if client.session.output.read_bytes() not in renders:
                self.fail(f"client {client.number}: output.mp4 is no render")

    def resources(self):
        return len(os.listdir(f"/proc/{self.mount.program.pid}/fd")), self.mount.program.resident_kb()

    def check_resources(self, samples):
        """What is taken to work is taken once, however long the work goes on."""
        files, memory = zip(*samples, self.resources())
        print(f"descriptors {files[0]} .. {max(files)} .. {files[-1]}; resident MB at equal times: "
              f"{' '.join(str(m // 1024) for m in memory)}", flush=True)
        if files[-1] > files[0] + 40:
            self.fail(f"{files[0]} descriptors have become {files[-1]}")
        # The first quarter warms up what is used again. Sanitizers keep what was freed, and tell of leaks themselves.
        quarter = len(samples) // 4
        before, after = (sum(memory[i:i + quarter]) // quarter for i in (quarter, len(samples) - quarter))
        if after > before + GROWTH_KB and not SANITIZED:
            self.fail(f"{before} KB of memory have become {after}")

    def end(self):
        if self.mount.program.running() and not self.wrong:
            self.mount.unmount()
        self.mount.destroy()
        self.proxy.stop()
        self.backend.program.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("seconds", type=float, nargs="?", default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--share", type=float, default=10, help="percent of exchanges that fail (default 10)")
    parser.add_argument("--dir", help="where all is kept (default: a new directory, removed if nothing was wrong)")
    options = parser.parse_args()
    directory = Path(options.dir or tempfile.mkdtemp(prefix="chaos-"))
    directory.mkdir(exist_ok=True)
    print(f"seed {options.seed}, in {directory}", flush=True)
    chaos = Chaos(directory, options)
    try:
        chaos.run()
    except AssertionError as error:
        chaos.fail(str(error))
    finally:
        chaos.end()
    if not chaos.wrong and not options.dir:
        shutil.rmtree(directory)
    return 1 if chaos.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
