"""A full-screen program on a terminal of its own, whose screen is read."""
import contextlib
import fcntl
import os
import select
import signal
import struct
import termios
import time

import pyte

from harness import PATIENCE

COLUMNS, LINES = 120, 36


class Terminal:
    def __init__(self, argv, cwd, env):
        self.screen = pyte.Screen(COLUMNS, LINES)
        self.stream = pyte.ByteStream(self.screen)
        self.pid, self.master = os.forkpty()
        if self.pid == 0:
            try:
                os.chdir(cwd)
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
                os.execvpe(argv[0], [str(a) for a in argv], {**env, "TERM": "linux"})
            finally:
                os._exit(127)

    def shows(self, *texts):
        return all(any(text in line for line in self.screen.display) for text in texts)

    def wait(self, what, predicate, timeout=20):
        """Until the screen is so."""
        deadline = time.monotonic() + timeout * PATIENCE
        while not predicate():
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{what} was not to be seen:\n" + "\n".join(self.screen.display)
            self.stream.feed(os.read(self.master, 65536))

    def see(self, *texts):
        self.wait(" and ".join(texts), lambda: self.shows(*texts))

    def miss(self, text):
        self.wait(f"a screen without {text}", lambda: not self.shows(text))

    def type(self, keys):
        os.write(self.master, keys.encode())

    def end(self):
        """Whatever it still does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.master)
