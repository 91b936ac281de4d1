"""What the mount tests stand on: a local backend, a mount against it, and programs that use it.

Nothing here knows how the programs are built; it knows what they promise to their users.
"""
import contextlib
import faulthandler
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

BUILD_DIR = Path(os.environ.get("BUILD_DIR", "build/release")).resolve()
SANITIZED = bool(os.environ.get("SANITIZE"))
PATIENCE = 4 if SANITIZED else 1  # sanitizers make the programs slower


def wait_for(what, predicate, timeout=15):
    """Returns the first true value of predicate(); fails after `timeout` s, saying `what` (or what it returns)."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            what = what() if callable(what) else what
            raise AssertionError(f"waited {timeout * PATIENCE} s in vain for {what}")
        time.sleep(0.01)


def is_mounted(path):
    escaped = str(path).replace("\\", "\\134").replace(" ", "\\040")
    with open("/proc/self/mountinfo") as lines:
        return any(line.split()[4] == escaped for line in lines)


def take_away(point, user=()):
    """As users unmount. A desktop's services look into new mounts; who is inside is soon out again."""
    wait_for(f"{point} to be free", lambda: run([*user, "fusermount3", "-u", point]).returncode == 0, 5)


def sh(command, cwd=None, timeout=30, shell="/bin/bash", env=None, stdin=None):
    """Runs a shell line as a user would; its whole process group ends with it."""
    return run([shell, "-c", command], cwd, timeout, env, stdin)


def run(argv, cwd=None, timeout=30, env=None, stdin=None):
    process = subprocess.Popen([str(a) for a in argv], cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=env, start_new_session=True)
    try:
        out, err = process.communicate(stdin, timeout * PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        raise AssertionError(f"{argv} did not end within {timeout * PATIENCE} s") from None
    return subprocess.CompletedProcess(argv, process.returncode, out.decode(errors="replace"),
                                       err.decode(errors="replace"))


def spawn(command, cwd=None, shell="/bin/bash", env=None):
    """Starts a shell line (or argv) that is expected to wait; use with `with ended(...)`."""
    argv = [shell, "-c", command] if isinstance(command, str) else [str(a) for a in command]
    return subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, start_new_session=True)


@contextlib.contextmanager
def ended(process):
    """Whatever happens inside, the process group is gone afterwards."""
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()


# Calls that wait on the mount: read, open, close, dup2, openat, dup3; by machine.
WAITING_CALLS = {"x86_64": {0, 2, 3, 33, 257, 292}, "aarch64": {63, 56, 57, 24}}[os.uname().machine]
READ = {"x86_64": 0, "aarch64": 63}[os.uname().machine]


def in_kernel_wait(pid):
    """Does some thread of the process, or of its children, wait in such a call on a file?"""
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            words = (task / "syscall").read_text().split()
            if words[0].isdigit() and int(words[0]) in WAITING_CALLS:
                if int(words[0]) != READ or os.readlink(task / "fd" / str(int(words[1], 16))).startswith("/"):
                    return True
            if any(in_kernel_wait(int(child)) for child in (task / "children").read_text().split()):
                return True
    except OSError:
        pass  # it has just ended
    return False


class Program:
    """One of our programs in the background. It dies with this process, and is checked at its end."""
    live = set()

    def __init__(self, argv, env, log, user=()):
        self.log = log
        self.output = open(log, "ab")
        self.process = subprocess.Popen([*user, "setpriv", "--pdeathsig", "KILL", *map(str, argv)], env=env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.output,
                                        start_new_session=True)
        self.pid = self.process.pid
        Program.live.add(self)

    def running(self):
        return self.process.poll() is None

    def words(self):
        return Path(self.log).read_text(errors="replace")

    def kill(self):
        if self.running():
            os.killpg(self.pid, signal.SIGKILL)
        self.close()

    def close(self):
        self.process.wait()
        self.process.stdout.close()
        self.output.close()
        Program.live.discard(self)

    def wait(self, timeout=20):
        try:
            status = self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.process.args} did not end:\n{self.words()}") from None
        self.close()
        return status

    def check(self):
        """No sanitizer has complained."""
        words = self.words()
        assert not re.search(r"Sanitizer|runtime error:|Assertion", words), words

    def resident_kb(self):
        return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())[1])


def error_of(call):
    """The errno that it ends with, 0 for none."""
    try:
        call()
    except OSError as error:
        return error.errno
    return 0


def clean_environment(home):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("NEMO_", "XDG_", "LC_", "LANG")) and k != "SKILL_SOURCE"}
    home.mkdir(exist_ok=True)
    env.update(HOME=str(home), LANG="C.UTF-8")
    return env


class Backend:
    """`nemo-local`: the backend's calls, and what only a test may ask of it."""

    def __init__(self, directory, options=()):
        self.directory = directory
        self.options = [str(o) for o in options]
        self.port = 0
        self.rules = []
        self.program = None
        self.start()

    def start(self):
        self.program = Program(
            [BUILD_DIR / "bin/nemo-local", "--port", self.port, "--state-dir", self.directory / "backend",
             "--die-with-parent", *self.options],
            clean_environment(self.directory / "home"), self.directory / "backend.log")
        ready, _, _ = select.select([self.program.process.stdout], [], [], 20 * PATIENCE)
        line = self.program.process.stdout.readline().decode() if ready else ""
        found = re.search(r"http://\S+:(\d+)", line)
        if not found:
            self.program.kill()
            raise AssertionError(f"nemo-local did not start: {line!r}\n{self.program.words()}")
        self.url, self.port = found[0].rstrip("/"), int(found[1])

    def stop(self):
        self.program.process.terminate()
        status = self.program.wait()
        self.program.check()
        assert status == 0, f"nemo-local ended with {status}:\n{self.program.words()}"

    def restart(self):
        self.stop()
        self.start()

    def freeze(self):
        """Connections are accepted by the kernel, and nothing answers."""
        os.kill(self.program.pid, signal.SIGSTOP)

    def thaw(self):
        if self.program.running():
            os.kill(self.program.pid, signal.SIGCONT)

    def call(self, path, body=None, method=None, token=None):
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.url + path, None if body is None else json.dumps(body).encode(),
                                         headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20 * PATIENCE) as answer:
            return answer.read()

    # What was asked of it, oldest first. Endpoints: token session claim upload message state credits render
    # poll download media.

    def requests(self, endpoint=None):
        requests = json.loads(self.call("/_local/requests"))
        for request in requests:
            request["headers"] = {name.lower(): value for name, value in request["headers"].items()}
        return [r for r in requests if endpoint in (None, r["endpoint"])]

    def messages(self):
        return [r["text"] for r in self.requests("message") if "text" in r]

    def held(self, endpoint=None):
        """How many requests are not over yet."""
        return sum(not r["over"] for r in self.requests(endpoint))

    def quiet(self, seconds=0.3):
        """Nothing is being asked, and nothing has been for a moment."""
        requests = self.requests()
        return requests and all(r["over"] and r["end_ms"] < (time.time() - seconds) * 1000 for r in requests)

    # What it has.

    def sessions(self):
        return json.loads(self.call("/_local/sessions"))

    def session_id(self, name):
        return next(s["session_id"] for s in self.sessions() if s["name"] == name)

    def files(self):
        """Uploads: session, name, size, sha256, mime, id."""
        return json.loads(self.call("/_local/files"))

    def content(self, file):
        return (self.directory / "backend/media" / file["id"]).read_bytes()

    def tokens(self):
        """Every token that it ever granted."""
        return re.findall(r"nmv_usr_\w+", (self.directory / "backend/account.json").read_text())

    def raw_state(self, session):
        """The whole answer to a state query."""
        path = f"/api/state/nemo_agent/me/{self.session_id(session.path.name)}/latest"
        return self.call(path, token=self.tokens()[-1])

    def rendered(self, session):
        """The bytes of the newest render."""
        renders = (self.directory / "backend/renders").glob("*.mp4")
        return max(renders, key=lambda path: path.stat().st_mtime_ns).read_bytes()

    # What it does wrong.

    HOLD_MS = 3_600_000

    def fault(self, endpoint, times=None, hold=False, **rule):
        """From now on, at the next `times` calls (None: all). `hold`: the answer does not come before the
        faults are lifted."""
        if hold and endpoint == "upload":
            rule.update(stall="request", stall_after=0)
        elif hold:
            rule["delay_ms"] = self.HOLD_MS
        if times:
            rule["call"] = {"from": 1, "to": times}
        self.rules.append({"endpoint": endpoint, **rule})
        self.call("/_local/faults", {"rules": self.rules})

    def answer(self, *texts, gap_ms=0, **rule):
        """Messages are answered with these texts, with pauses between them."""
        events = "".join(f"data: {json.dumps({'type': 'text', 'content': text})}\n\n" for text in texts)
        self.fault("message", events=events, gap_ms=gap_ms, **rule)

    def no_faults(self):
        self.rules = []
        self.call("/_local/faults", method="DELETE")


class Mount:
    """`lipsyncfs` in the foreground, with a state directory and a cache of its own."""
    DEFAULTS = {"retry_wait": 0.2, "poll": 0.2}

    def __init__(self, directory, api, options=None, env=None, user=()):
        self.directory = directory
        self.user = user  # what to put before a command so that this user runs it
        self.point = directory / "mount"
        self.state, self.cache = directory / "state", directory / "cache"
        self.api = api
        self.options = {**self.DEFAULTS, **(options or {})}
        self.env = {**clean_environment(directory / "home"), **(env or {})}
        self.log = directory / "mount.log"
        self.program = None
        self.point.mkdir(exist_ok=True)
        self.start()

    def start(self):
        options = {"api": self.api, "state_dir": self.state, "cache_dir": self.cache, **self.options}
        flags = [k for k in options if k.startswith("-")]
        text = ",".join(k if v is True else f"{k}={v}" for k, v in options.items() if v is not None and k not in flags)
        self.program = Program([BUILD_DIR / "bin/lipsyncfs", "-f", *flags, "-o", text, self.point], self.env, self.log,
                               self.user)
        try:
            wait_for("the mount", lambda: is_mounted(self.point) or not self.program.running())
            assert self.program.running(), f"lipsyncfs did not start:\n{self.program.words()}"
        except AssertionError:
            self.program.kill()
            raise

    def unmount(self):
        """As a user does; and nothing may have gone wrong until then."""
        if self.program.running():
            take_away(self.point, self.user)
        self.finish()

    def finish(self):
        status = self.program.wait()
        self.program.check()
        assert status == 0, f"lipsyncfs ended with {status}:\n{self.program.words()}"
        assert not is_mounted(self.point)

    def crash(self):
        """A power failure for the program."""
        self.program.kill()
        run(["fusermount3", "-u", "-z", self.point])

    def remount(self):
        self.unmount()
        self.start()

    def destroy(self):
        """At the end of a failed test."""
        self.program.kill()
        if is_mounted(self.point):
            run(["fusermount3", "-u", "-z", self.point])

    def session(self, name="s"):
        path = self.point / name
        path.mkdir()
        return Session(path)


class Session:
    """A session's directory, read as a user reads it."""

    def __init__(self, path):
        self.path = Path(path)
        self.inputs = self.path / "inputs"
        self.instruct = self.path / "instruct"
        self.output = self.path / "output.mp4"

    def __truediv__(self, name):
        return self.path / name

    def __fspath__(self):
        return str(self.path)

    __str__ = __fspath__

    def text(self, name):
        return (self.path / name).read_text()

    def status(self):
        """First word under "", then every key; several lines of one key are joined by newlines."""
        lines = self.text("status.txt").splitlines()
        values = {"": lines[0]}
        for line in lines[1:]:
            key, _, value = line.partition(": ")
            values[key] = values[key] + "\n" + value if key in values else value
        return values

    def wait_status(self, *words, timeout=20):
        return wait_for(lambda: f"status {' or '.join(words)}, it is {self.text('status.txt')!r}",
                        lambda: self.status()[""] in words, timeout)

    def say(self, text):
        """One message, as `echo text > instruct` sends it."""
        with open(self.instruct, "w") as file:
            file.write(text + "\n")

    def reply(self):
        """The whole reply; waits for the end of the work."""
        return run(["cat", self.path / "reply.txt"], timeout=60).stdout

    def history(self):
        return self.text("history.txt")


class Watchdog:
    """Ends our programs when a test takes too long, for calls on a stuck mount end by nothing else."""

    def __init__(self, seconds):
        self.seconds = seconds * PATIENCE
        self.expired = False
        self.timer = threading.Timer(self.seconds, self.bark)
        self.timer.daemon = True
        self.timer.start()

    def bark(self):
        self.expired = True
        faulthandler.dump_traceback(sys.__stderr__)
        for program in list(Program.live):
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{program.pid}/task").iterdir():
                    print(program.process.args[3], task.name, (task / "comm").read_text().strip(),
                          (task / "syscall").read_text().strip(), file=sys.__stderr__)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)

    def end(self):
        self.timer.cancel()
        assert not self.expired, f"the test took longer than {self.seconds} s"


def abort_connection(device, directory):
    """Ends a mount whose program is gone and whose callers hang all the same; as root only."""
    control = directory / "fusectl"
    control.mkdir(exist_ok=True)
    if run(["mount", "-t", "fusectl", "none", control]).returncode == 0:
        with contextlib.suppress(OSError):
            (control / str(os.minor(device)) / "abort").write_text("1")
        run(["umount", control])
