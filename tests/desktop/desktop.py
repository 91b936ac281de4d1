"""A desktop for one test process: a screen in memory, a session bus, a window manager; and windows, looked at the way
a screen reader does and driven with the keyboard."""
import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
from pathlib import Path

import gi

from harness import PATIENCE, clean_environment, wait_for

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
SETTINGS = Path(__file__).parent / "home"


def descendants(pid):
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            for child in (task / "children").read_text().split():
                yield from descendants(int(child))
                yield int(child)


class Desktop:
    """libatspi connects once and for ever, so there is one to a process."""

    def __init__(self, directory, runtime):
        self.directory = directory
        self.home = directory / "home"
        self.log = open(directory / "desktop.log", "wb")
        # Whatever the session bus starts becomes a child of this process, and ends with it.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        shutil.copytree(SETTINGS, self.home)
        self.env = clean_environment(self.home)
        for name in ("WAYLAND_DISPLAY", "SESSION_MANAGER", "XAUTHORITY"):
            self.env.pop(name, None)
        self.env.update(XDG_RUNTIME_DIR=runtime, XDG_SESSION_TYPE="x11", GDK_BACKEND="x11", QT_QPA_PLATFORM="xcb",
                        GTK_MODULES="gail:atk-bridge", QT_LINUX_ACCESSIBILITY_ALWAYS_ON="1",
                        GSETTINGS_BACKEND="keyfile", GVFS_DISABLE_FUSE="1", GSK_RENDERER="cairo",
                        LIBGL_ALWAYS_SOFTWARE="1")
        self.env["DISPLAY"] = ":" + self.first_line("Xvfb", "-displayfd", "{}", "-screen", "0", "1280x900x24",
                                                    "-nolisten", "tcp", "-noreset")
        self.env["DBUS_SESSION_BUS_ADDRESS"] = self.first_line("dbus-daemon", "--session", "--nofork",
                                                               f"--address=unix:path={runtime}/bus",
                                                               "--print-address={}")
        os.environ.update({k: self.env[k] for k in ("DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")})
        self.start("openbox", "--sm-disable")
        wait_for("the window manager", lambda: self.run("xprop", "-root", "_NET_SUPPORTING_WM_CHECK").startswith(
            "_NET_SUPPORTING_WM_CHECK(WINDOW)"))
        Atspi.init()
        Atspi.set_timeout(2000 * PATIENCE, 10000 * PATIENCE)

    def start(self, *argv, **options):
        return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, argv)], env=self.env,
                                stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True,
                                **options)

    def first_line(self, *argv):
        """Starts a program that tells where it can be reached through a descriptor."""
        ours, theirs = os.pipe()
        with open(ours) as pipe:
            self.start(*(a.format(theirs) for a in argv), pass_fds=(theirs,))
            os.close(theirs)
            ready, _, _ = select.select([pipe], [], [], 20 * PATIENCE)
            line = pipe.readline().strip() if ready else ""
        assert line, f"{argv[0]} did not start"
        return line

    def run(self, *argv, stdin=None):
        return subprocess.run([str(a) for a in argv], env=self.env, input=stdin, stdout=subprocess.PIPE,
                              stderr=self.log, timeout=30 * PATIENCE).stdout.decode()

    def picture(self, path):
        self.run("import", "-window", "root", path)

    def keys(self, *keys):
        self.run("xdotool", "key", "--clearmodifiers", "--delay", 20, *keys)

    def type(self, text):
        self.run("xdotool", "type", "--clearmodifiers", "--delay", 10, text)

    @staticmethod
    def outline():
        return "".join(outline(a) for a in applications())

    def end(self):
        """Of all that was started, by whomever."""
        with contextlib.suppress(ChildProcessError):
            while True:
                for pid in descendants(os.getpid()):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                os.waitpid(-1, 0)
        self.log.close()


# What is on the screen.

def alive(call, default=None):
    """Of things that may be gone by the time they are looked at."""
    try:
        return call()
    except GLib.Error:
        return default


def tree(node, depth=45):
    if node is None:
        return
    yield node
    if depth:
        for i in range(alive(node.get_child_count, 0)):
            yield from tree(alive(lambda: node.get_child_at_index(i)), depth - 1)


def applications():
    return [a for a in tree(Atspi.get_desktop(0), 1) if alive(a.get_role) == Atspi.Role.APPLICATION]


def outline(node, depth=0, limit=45):
    """For the reports of failures."""
    if node is None or depth > limit:
        return ""
    line = "  " * depth + f"{alive(node.get_role_name)} {' = '.join(repr(text) for text in says(node) if text)}"
    states = alive(node.get_state_set)
    if states:
        line += " " + " ".join(n for n, s in (("showing", Atspi.StateType.SHOWING), ("focused", Atspi.StateType.FOCUSED),
                ("selected", Atspi.StateType.SELECTED), ("active", Atspi.StateType.ACTIVE)) if states.contains(s))
    return line + "\n" + "".join(outline(alive(lambda: node.get_child_at_index(i)), depth + 1, limit)
                                 for i in range(alive(node.get_child_count, 0)))


def says(node):
    """Its name and its text; either may be empty."""
    return alive(node.get_name, ""), alive(
        lambda: "Text" in node.get_interfaces() and Atspi.Text.get_text(node, 0, -1)) or ""


def shown(application, words):
    """Something that the application shows and that says this, whole or in part."""
    for node in tree(application):
        states = alive(node.get_state_set)
        if states and states.contains(Atspi.StateType.SHOWING) and any(words in text for text in says(node)):
            return node
    return None


def listed(application, title, name):
    """Is there an entry of that name in the listing of a window?"""
    return any(alive(node.get_role) in (Atspi.Role.TABLE_CELL, Atspi.Role.ICON) and name in says(node)
               for frame in tree(application, 1) if alive(frame.get_name) == title for node in tree(frame))


def press(application, name):
    """A button of this name, if it shows one."""
    for node in tree(application):
        states = alive(node.get_state_set)
        if (states and states.contains(Atspi.StateType.SHOWING) and alive(node.get_role) == Atspi.Role.PUSH_BUTTON
                and alive(node.get_name) == name):
            return alive(lambda: node.do_action(0))
    return False


def window(application, title):
    """The active window, if that is its title."""
    for node in tree(application, 1):
        states = alive(node.get_state_set)
        if (states and states.contains(Atspi.StateType.ACTIVE) and states.contains(Atspi.StateType.SHOWING)
                and alive(node.get_name) == title):
            return node
    return None
