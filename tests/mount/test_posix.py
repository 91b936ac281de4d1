"""What POSIX says of calls, as far as it applies to a tree with fixed names, as tables.

Most of the usual suites' cases do not apply, for the tree decides what they want to decide:
  - modes and owners: they are fixed (chmod and chown are accepted and change nothing), so neither the cases of
    permission by mode, set-user-id, sticky directories and umask, nor those of chown by others;
  - hard links: there are none (EPERM), so no link counts but 1 (and 0 when unlinked), and no EMLINK;
  - symbolic links are URLs: no loops and no links into the tree;
  - directories: only the root takes new ones, which are not empty when they are new, and rmdir takes them all the same;
    directories are not moved into others; renaming one session over another is ENOTEMPTY;
  - devices, FIFOs and sockets: refused (EPERM); extended attributes and access control lists: none; flags (chflags): none;
  - RENAME_EXCHANGE, O_TMPFILE, holes punched by fallocate: refused, as by many file systems;
  - the times of directories and control files tell what happened to them, and utimensat does not change them.
"""
import ctypes
import errno
import fcntl
import mmap
import os
import signal
import stat
import struct
import time

import pytest

from harness import Mount, run
from programs import lasting

LIBC = ctypes.CDLL(None, use_errno=True)
LONG = "x" * 251 + ".mp4"  # as long as a name may be


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """One session for all: what a case makes it takes away."""
    with lasting(tmp_path_factory.mktemp("kept")) as (_, mount):
        yield mount.session()


@pytest.fixture
def t(kept):
    """The session with a scratch file, scratch.tmp, of ten bytes."""
    os.chdir(kept)
    with open("inputs/scratch.tmp", "wb") as file:
        file.write(b"0123456789")
    yield kept
    os.chdir("/")
    for name in os.listdir(kept.inputs):
        os.unlink(kept.inputs / name)


F = "inputs/scratch.tmp"
NEW = "inputs/new.tmp"

# Every call that takes a path.
CALLS = {
    "open": lambda p: os.open(p, os.O_RDONLY),
    "open, to write": lambda p: os.open(p, os.O_WRONLY),
    "open, to make": lambda p: os.open(p, os.O_WRONLY | os.O_CREAT),
    "open, to make anew": lambda p: os.open(p, os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    "open O_PATH": lambda p: os.open(p, os.O_PATH),
    "open O_DIRECTORY": lambda p: os.open(p, os.O_DIRECTORY),
    "mkdir": os.mkdir,
    "mknod": os.mknod,
    "mkfifo": os.mkfifo,
    "symlink": lambda p: os.symlink("http://127.0.0.1/a.mp4", p),
    "link to": lambda p: os.link(F, p),
    "link from": lambda p: os.link(p, NEW),
    "rename to": lambda p: os.rename(F, p),
    "rename from": lambda p: os.rename(p, NEW),
    "unlink": os.unlink,
    "rmdir": os.rmdir,
    "truncate": lambda p: os.truncate(p, 0),
    "chmod": lambda p: os.chmod(p, 0o600),
    "chown": lambda p: os.chown(p, os.getuid(), os.getgid()),
    "lchown": lambda p: os.lchown(p, os.getuid(), os.getgid()),
    "utimensat": os.utime,
    "stat": os.stat,
    "lstat": os.lstat,
    "statvfs": os.statvfs,
    "access": lambda p: os.stat(p) if os.access(p, os.F_OK) else os.stat(p),
    "readlink": os.readlink,
    "opendir": os.listdir,
    "chdir": os.chdir,
}
BAD_PATHS = {
    "a component too long": ("inputs/" + "x" * 256 + "/x.tmp", errno.ENAMETOOLONG),
    "a path too long": ("inputs/" + "../inputs/" * 500 + "x.tmp", errno.ENAMETOOLONG),
    "through a file": ("instruct/x.tmp", errno.ENOTDIR),
    "through an input": (F + "/x.tmp", errno.ENOTDIR),
    "a file with a slash": (F + "/", errno.ENOTDIR),
    "through nothing": ("inputs/none/x.tmp", errno.ENOENT),
    "through nothing in the root": ("../none/x.tmp", errno.ENOENT),
    "the empty path": ("", errno.ENOENT),
}
# Linux itself says something else of names that end in a slash where a file was to be made.
SLASH = {"open, to make": errno.EISDIR, "open, to make anew": errno.EISDIR, "mkdir": errno.EEXIST, "mknod": errno.EEXIST,
         "mkfifo": errno.EEXIST, "symlink": errno.EEXIST, "link to": errno.EEXIST}


def number_of(action, *arguments):
    """The errno of a call; 0 if it succeeds."""
    try:
        result = action(*arguments)
    except OSError as error:
        return error.errno
    if isinstance(result, int) and not isinstance(result, bool) and result > 2:
        os.close(result)
    return 0


def names(*numbers):
    return [errno.errorcode.get(n, n) for n in numbers]


@pytest.mark.parametrize("path, number", BAD_PATHS.values(), ids=BAD_PATHS.keys())
def test_bad_path(t, path, number):
    wanted = {call: SLASH.get(call, number) if path.endswith("/") else number for call in CALLS}
    got = {call: number_of(action, path) for call, action in CALLS.items()}
    assert {c: names(n) for c, n in got.items()} == {c: names(n) for c, n in wanted.items()}
    assert os.listdir("inputs") == ["scratch.tmp"]


# What does not need to be there: what it says of a name that is not.
MAKERS = ("open, to make", "open, to make anew", "mkdir", "mknod", "mkfifo", "symlink", "link to", "rename to")


def test_nothing_there(t):
    got = {call: number_of(action, "inputs/none.tmp") for call, action in CALLS.items() if call not in MAKERS}
    assert set(got.values()) == {errno.ENOENT}, got


def test_a_name_too_long(t):
    got = {call: number_of(action, "inputs/x" + LONG) for call, action in CALLS.items()}
    assert set(got.values()) == {errno.ENAMETOOLONG}, got


def test_the_longest_name(t):
    os.rename(F, "inputs/" + LONG[:-4] + ".tmp")
    assert os.stat("inputs/" + LONG[:-4] + ".tmp").st_size == 10
    assert number_of(os.unlink, "inputs/" + LONG[:-4] + ".tmp") == 0


# One row a case: the errno (0: none), the call.
ROWS = {
    # mkdir and rmdir
    "mkdir over a directory": ("EEXIST", lambda: os.mkdir("inputs")),
    "mkdir over a file": ("EEXIST", lambda: os.mkdir("instruct")),
    "mkdir over an input": ("EEXIST", lambda: os.mkdir(F)),
    "mkdir .": ("EEXIST", lambda: os.mkdir(".")),
    "mkdir ..": ("EEXIST", lambda: os.mkdir("..")),
    "rmdir .": ("EINVAL", lambda: os.rmdir("../s/.")),
    "rmdir ..": ("ENOTEMPTY", lambda: os.rmdir("inputs/..")),
    "rmdir of a file": ("ENOTDIR", lambda: os.rmdir("instruct")),
    "rmdir of an input": ("ENOTDIR", lambda: os.rmdir(F)),
    "rmdir of a directory that stays": ("EPERM", lambda: os.rmdir("inputs")),
    "rmdir of the mount point": ("EBUSY", lambda: os.rmdir(mount_point())),
    # open
    "open O_EXCL over a file": ("EEXIST", lambda: os.open("instruct", os.O_CREAT | os.O_EXCL | os.O_WRONLY)),
    "open O_EXCL over an input": ("EEXIST", lambda: os.open(F, os.O_CREAT | os.O_EXCL | os.O_WRONLY)),
    "open O_EXCL over a directory": ("EEXIST", lambda: os.open("inputs", os.O_CREAT | os.O_EXCL)),
    "open a directory to write": ("EISDIR", lambda: os.open("inputs", os.O_WRONLY)),
    "open a directory to read and write": ("EISDIR", lambda: os.open(".", os.O_RDWR)),
    "open O_CREAT on a directory": ("EISDIR", lambda: os.open("inputs", os.O_CREAT)),
    "open O_TRUNC on a directory": ("EISDIR", lambda: os.open("inputs", os.O_TRUNC)),
    "open a directory to read": ("0", lambda: os.open("inputs", os.O_RDONLY)),
    "open O_DIRECTORY": ("0", lambda: os.open("inputs", os.O_DIRECTORY)),
    "open O_DIRECTORY on a file": ("ENOTDIR", lambda: os.open(F, os.O_DIRECTORY)),
    "open O_NOFOLLOW on a file": ("0", lambda: os.open(F, os.O_NOFOLLOW)),
    "open O_TMPFILE": ("ENOTSUP", lambda: os.open("inputs", os.O_TMPFILE | os.O_WRONLY)),
    "open O_SYNC": ("0", lambda: os.open(F, os.O_SYNC | os.O_WRONLY)),
    "open O_DSYNC": ("0", lambda: os.open(F, os.O_DSYNC | os.O_RDWR)),
    "open O_DIRECT": ("0", lambda: os.open(F, os.O_DIRECT | os.O_RDWR)),
    "open O_NOATIME": ("0", lambda: os.open(F, os.O_NOATIME)),
    "open O_NONBLOCK": ("0", lambda: os.open(F, os.O_NONBLOCK | os.O_RDWR)),
    "open O_NOCTTY": ("0", lambda: os.open(F, os.O_NOCTTY)),
    "open to write what is only read": ("EACCES", lambda: os.open("status.txt", os.O_WRONLY)),
    "open O_TRUNC what is only read": ("EACCES", lambda: os.open("status.txt", os.O_RDONLY | os.O_TRUNC)),
    "make a file where there are none": ("EACCES", lambda: os.open("new.tmp", os.O_CREAT | os.O_WRONLY)),
    "make a file in the root": ("EACCES", lambda: os.open("../new.tmp", os.O_CREAT | os.O_WRONLY)),
    "execute": ("EACCES", lambda: os.execv(F, [F])),
    # unlink
    "unlink of a directory": ("EISDIR", lambda: os.unlink("inputs")),
    "unlink of a session": ("EISDIR", lambda: os.unlink("../s")),
    "unlink of .": ("EISDIR", lambda: os.unlink(".")),
    "unlink of what stays": ("EPERM", lambda: os.unlink("instruct")),
    # rename
    "rename to itself": ("0", lambda: os.rename(F, F)),
    "rename a file onto its directory": ("ENOTEMPTY", lambda: os.rename(F, "inputs")),
    "rename a directory onto a file": ("ENOTDIR", lambda: os.rename("../s", "../README.txt")),
    "rename a directory into itself": ("EINVAL", lambda: os.rename("../s", "../s/inputs/s")),
    "rename a directory onto its parent": ("ENOTEMPTY", lambda: os.rename("inputs", "../s")),
    "rename .": ("EBUSY", lambda: os.rename(".", "../t")),
    "rename to ..": ("EBUSY", lambda: os.rename(F, "inputs/..")),
    "rename what stays": ("EACCES", lambda: os.rename("instruct", "other")),
    "rename the directory that stays": ("EACCES", lambda: os.rename("inputs", "other")),
    "rename out of its directory": ("EXDEV", lambda: os.rename(F, "scratch.tmp")),
    "rename to another file system": ("EXDEV", lambda: os.rename(F, "/dev/shm/x.tmp")),
    "rename from another file system": ("EXDEV", lambda: os.rename("/etc/hostname", NEW)),
    "rename the mount point": ("EBUSY", lambda: os.rename(mount_point(), mount_point() + ".other")),
    "rename, not replacing": ("EEXIST", lambda: renameat2(F, F, 1)),
    "rename, exchanging": ("EINVAL", lambda: os.mknod(NEW) or renameat2(F, NEW, 2)),
    # links
    "symlink over a file": ("EEXIST", lambda: os.symlink("http://127.0.0.1/a.mp4", F)),
    "symlink over a directory": ("EEXIST", lambda: os.symlink("http://127.0.0.1/a.mp4", "inputs")),
    "symlink elsewhere": ("EACCES", lambda: os.symlink("http://127.0.0.1/a.mp4", "a.mp4")),
    "symlink to a path": ("EINVAL", lambda: os.symlink("/etc/passwd", "inputs/a.mp4")),
    "symlink to nothing": ("ENOENT", lambda: os.symlink("", "inputs/a.mp4")),
    "readlink of a file": ("EINVAL", lambda: os.readlink(F)),
    "readlink of a directory": ("EINVAL", lambda: os.readlink("inputs")),
    "link": ("EPERM", lambda: os.link(F, NEW)),
    "link over a file": ("EEXIST", lambda: os.link(F, F)),
    "link of a directory": ("EPERM", lambda: os.link("inputs", NEW)),
    "link from another file system": ("EXDEV", lambda: os.link("/etc/hostname", NEW)),
    # other kinds
    "mknod of a file": ("0", lambda: os.mknod(NEW)),
    "mknod over a file": ("EEXIST", lambda: os.mknod(F)),
    "mkfifo": ("EPERM", lambda: os.mkfifo(NEW)),
    "mknod of a socket": ("EPERM", lambda: os.mknod(NEW, stat.S_IFSOCK | 0o600)),
    # truncate
    "truncate of a directory": ("EISDIR", lambda: os.truncate("inputs", 0)),
    "truncate below nothing": ("EINVAL", lambda: os.truncate(F, -1)),
    "truncate beyond the limit": ("EFBIG", lambda: os.truncate(F, 500_000_001)),
    "truncate to the limit": ("0", lambda: os.truncate(F, 500_000_000)),
    "truncate of what is only read": ("EACCES", lambda: os.truncate("status.txt", 0)),
    "ftruncate of what was opened to read": ("EINVAL", lambda: with_file(os.O_RDONLY, lambda f: os.ftruncate(f, 0))),
    "fallocate of nothing": ("EINVAL", lambda: with_file(os.O_RDWR, lambda f: os.posix_fallocate(f, 0, 0))),
    "fallocate before the beginning": ("EINVAL", lambda: with_file(os.O_RDWR, lambda f: os.posix_fallocate(f, -1, 5))),
    "fallocate": ("0", lambda: with_file(os.O_RDWR, lambda f: os.posix_fallocate(f, 5, 10))),
    "fallocate beyond the limit": ("EFBIG", lambda: with_file(os.O_RDWR, lambda f: os.posix_fallocate(f, 0, 500_000_001))),
    "fallocate of what was opened to read": ("EBADF", lambda: with_file(os.O_RDONLY, lambda f: os.posix_fallocate(f, 0, 5))),
    # descriptors
    "read what was opened to write": ("EBADF", lambda: with_file(os.O_WRONLY, lambda f: os.read(f, 1))),
    "write what was opened to read": ("EBADF", lambda: with_file(os.O_RDONLY, lambda f: os.write(f, b"x"))),
    "read a directory": ("EISDIR", lambda: with_file(os.O_RDONLY, lambda f: os.read(f, 1), "inputs")),
    "read what was opened O_PATH": ("EBADF", lambda: with_file(os.O_PATH, lambda f: os.read(f, 1))),
    "seek before the beginning": ("EINVAL", lambda: with_file(os.O_RDONLY, lambda f: os.lseek(f, -1, os.SEEK_SET))),
    "seek SEEK_DATA behind the end": ("ENXIO", lambda: with_file(os.O_RDONLY, lambda f: os.lseek(f, 10, os.SEEK_DATA))),
    "seek SEEK_HOLE behind the end": ("ENXIO", lambda: with_file(os.O_RDONLY, lambda f: os.lseek(f, 11, os.SEEK_HOLE))),
    "pread before the beginning": ("EINVAL", lambda: with_file(os.O_RDONLY, lambda f: os.pread(f, 1, -1))),
    "pwrite before the beginning": ("EINVAL", lambda: with_file(os.O_RDWR, lambda f: os.pwrite(f, b"x", -1))),
    "pwrite across the limit": ("EFBIG", lambda: with_file(os.O_RDWR, lambda f: os.pwrite(f, b"xx", 499_999_999))),
    "an ioctl of terminals": ("ENOTTY", lambda: with_file(os.O_RDONLY, lambda f: fcntl.ioctl(f, 0x5401, b"0" * 64))),
    "fchdir to a file": ("ENOTDIR", lambda: with_file(os.O_RDONLY, os.fchdir)),
    "fsync": ("0", lambda: with_file(os.O_RDONLY, os.fsync)),
    "fdatasync": ("0", lambda: with_file(os.O_RDWR, os.fdatasync)),
    "fsync of a directory": ("0", lambda: with_file(os.O_RDONLY, os.fsync, "inputs")),
    "mmap of what was opened to write": ("EACCES", lambda: with_file(os.O_WRONLY, lambda f: mmap.mmap(f, 10))),
    "mmap, to write, of what was opened to read": ("EACCES", lambda: with_file(os.O_RDONLY, lambda f: mmap.mmap(f, 10))),
    "mmap of a directory": ("ENODEV", lambda: with_file(os.O_RDONLY, lambda f: mmap.mmap(f, 10, prot=mmap.PROT_READ), "inputs")),
    # bad pointers
    "open of a bad pointer": ("EFAULT", lambda: raw("open", ctypes.c_void_p(1), 0)),
    "mkdir of a bad pointer": ("EFAULT", lambda: raw("mkdir", ctypes.c_void_p(1), 0)),
    "read to a bad pointer": ("EFAULT", lambda: with_file(os.O_RDONLY, lambda f: raw("read", f, ctypes.c_void_p(1), 10))),
    "write from a bad pointer": ("EFAULT", lambda: with_file(os.O_WRONLY, lambda f: raw("write", f, ctypes.c_void_p(1), 10))),
    "readlink to a bad pointer": ("EFAULT", lambda: raw("stat", b"inputs", ctypes.c_void_p(1))),
    # accepted, and nothing changes
    "chmod": ("0", lambda: os.chmod(F, 0o777)),
    "chmod of a directory": ("0", lambda: os.chmod("inputs", 0o777)),
    "fchmod": ("0", lambda: with_file(os.O_RDONLY, lambda f: os.fchmod(f, 0))),
    "chown": ("0", lambda: os.chown(F, os.getuid(), os.getgid())),
    "chown of nobody": ("0", lambda: os.chown(F, -1, -1)),
    "utimensat of a directory": ("0", lambda: os.utime("inputs", (1, 1))),
}


def mount_point():
    return os.path.dirname(os.getcwd())


def with_file(flags, action, path=F):
    file = os.open(path, flags)
    try:
        action(file)
    finally:
        os.close(file)


def raw(call, *arguments):
    if getattr(LIBC, call)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), call)


def renameat2(old, new, flags):
    raw("renameat2", -100, old.encode(), -100, new.encode(), flags)


@pytest.mark.parametrize("name, action", ROWS.values(), ids=ROWS.keys())
def test_errno(t, name, action):
    listing, modes = os.listdir("."), [os.stat(p)[:6] for p in (".", "inputs", F)]
    assert names(number_of(action)) == [name if name != "0" else 0]
    assert os.listdir(".") == listing and (os.getcwd(), "s") == (str(t), t.path.name)
    assert [os.stat(p)[:6] for p in (".", "inputs", F)] == modes


# ---- what calls do, to the file and its times ----

def times_changed(after):
    info = os.stat(F)
    return [which for which in ("atime", "mtime", "ctime") if getattr(info, f"st_{which}_ns") >= after]


@pytest.mark.parametrize("action, changed", [
    pytest.param(lambda: os.truncate(F, 5), ["mtime", "ctime"], id="truncate"),
    pytest.param(lambda: os.truncate(F, 100), ["mtime", "ctime"], id="truncate, longer"),
    pytest.param(lambda: with_file(os.O_WRONLY, lambda f: os.ftruncate(f, 3)), ["mtime", "ctime"], id="ftruncate"),
    pytest.param(lambda: with_file(os.O_WRONLY, lambda f: os.write(f, b"x")), ["mtime", "ctime"], id="write"),
    pytest.param(lambda: with_file(os.O_WRONLY | os.O_TRUNC, lambda f: 0), ["mtime", "ctime"], id="open O_TRUNC"),
    pytest.param(lambda: os.rename(F, NEW) or os.rename(NEW, F), ["ctime"], id="rename"),
    pytest.param(lambda: os.chmod(F, 0o644), ["ctime"], id="chmod"),
    pytest.param(lambda: os.chown(F, os.getuid(), -1), ["ctime"], id="chown"),
    pytest.param(lambda: os.utime(F, ns=(10**18, 10**18)), ["ctime"], id="utimensat"),
    pytest.param(lambda: with_file(os.O_RDONLY, lambda f: os.lseek(f, 0, 2)), [], id="open to read"),
])
def test_times(t, action, changed):
    os.utime(F, ns=(10**18, 10**18))
    while time.time_ns() // 10**7 <= os.stat(F).st_ctime_ns // 10**7:  # the clock of file systems is coarse
        pass
    now = time.time_ns() // 10**7 * 10**7
    action()
    assert [c for c in times_changed(now) if c != "ctime" or "ctime" in changed] == changed


@pytest.mark.parametrize("atime, mtime", [
    (0, 0), (1, 999_999_999), (1_234_567_890_123_456_789, 1_000_000_000_000_000_001), (-1_000_000_000, -1),
    (2**31 * 10**9 + 7, 2**32 * 10**9 + 7)])
def test_utimensat(t, atime, mtime):
    """To the nanosecond, before 1970 and after 2038."""
    os.utime(F, ns=(atime, mtime))
    assert (os.stat(F).st_atime_ns, os.stat(F).st_mtime_ns) == (atime, mtime)


def test_utimensat_omits(t):
    now, omit = (1 << 30) - 1, (1 << 30) - 2
    os.utime(F, ns=(1, 2))
    raw("utimensat", -100, F.encode(), struct.pack("qqqq", 0, omit, 5, 0), 0)
    assert (os.stat(F).st_atime_ns, os.stat(F).st_mtime_ns) == (1, 5 * 10**9)
    raw("utimensat", -100, F.encode(), struct.pack("qqqq", 7, 0, 0, omit), 0)
    assert (os.stat(F).st_atime_ns, os.stat(F).st_mtime_ns) == (7 * 10**9, 5 * 10**9)
    raw("utimensat", -100, F.encode(), struct.pack("qqqq", 0, now, 0, omit), 0)
    assert abs(os.stat(F).st_atime - time.time()) < 60 and os.stat(F).st_mtime_ns == 5 * 10**9


def test_truncate(t):
    os.truncate(F, 4)
    assert open(F, "rb").read() == b"0123"
    os.truncate(F, 9000)
    assert open(F, "rb").read() == b"0123" + bytes(8996)
    os.truncate(F, 0)
    assert (os.stat(F).st_size, os.stat(F).st_blocks) == (0, 0)


def test_truncate_leaves_offsets(t):
    file = os.open(F, os.O_RDWR)
    os.lseek(file, 8, os.SEEK_SET)
    os.ftruncate(file, 2)
    assert os.read(file, 10) == b"" and os.lseek(file, 0, os.SEEK_CUR) == 8
    os.write(file, b"x")
    os.close(file)
    assert open(F, "rb").read() == b"01" + bytes(6) + b"x"


def test_rename_over(t):
    """The inode goes with the name; who holds the old file open keeps it, without a link."""
    with open(NEW, "wb") as file:
        file.write(b"new")
    number = os.stat(NEW).st_ino
    old = os.open(F, os.O_RDONLY)
    os.rename(NEW, F)
    assert os.stat(F).st_ino == number and open(F, "rb").read() == b"new"
    assert os.listdir("inputs") == ["scratch.tmp"]
    assert os.read(old, 100) == b"0123456789" and os.fstat(old).st_nlink == 0
    os.close(old)


def test_unlinked(t):
    file = os.open(F, os.O_RDWR)
    assert os.fstat(file).st_nlink == 1
    os.unlink(F)
    assert os.fstat(file).st_nlink == 0 and os.fstat(file).st_size == 10
    os.ftruncate(file, 3)
    os.pwrite(file, b"abc", 5)
    os.fchmod(file, 0o600)
    os.utime(file, ns=(1, 2))
    os.fsync(file)
    assert os.pread(file, 100, 0) == b"012\0\0abc" and os.fstat(file).st_mtime_ns == 2
    os.close(file)
    assert number_of(os.stat, F) == errno.ENOENT


def test_append(t):
    """O_APPEND: at the end, wherever that is by then, pwrite too; and it can be switched on and off."""
    a, b = os.open(F, os.O_WRONLY | os.O_APPEND), os.open(F, os.O_WRONLY | os.O_APPEND)
    os.write(a, b"a")
    os.write(b, b"b")
    os.write(a, b"c")
    os.pwrite(b, b"d", 0)
    fcntl.fcntl(b, fcntl.F_SETFL, fcntl.fcntl(b, fcntl.F_GETFL) & ~os.O_APPEND)
    os.pwrite(b, b"X", 0)
    os.close(a)
    os.close(b)
    assert open(F, "rb").read() == b"X123456789abcd"


def test_shared_offset(t):
    """A duplicate, and a child, move the same offset; another open has its own."""
    file, own = os.open(F, os.O_RDWR), os.open(F, os.O_RDONLY)
    twin = os.dup(file)
    os.write(file, b"abc")
    os.write(twin, b"def")
    child = os.fork()
    if child == 0:
        os.write(file, b"ghi")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.lseek(twin, 0, os.SEEK_CUR) == 9 and os.read(own, 100) == b"abcdefghi9"
    for f in (file, twin, own):
        os.close(f)


def test_seek(t):
    file = os.open(F, os.O_RDWR)
    assert [os.lseek(file, *a) for a in ((3, 0), (2, 1), (-1, 2), (5, 2))] == [3, 5, 9, 15]
    assert os.read(file, 1) == b"" and os.fstat(file).st_size == 10
    os.write(file, b"x")
    assert os.pread(file, 100, 8) == b"89" + bytes(5) + b"x"
    assert os.lseek(file, 0, os.SEEK_DATA) == 0 and os.lseek(file, 0, os.SEEK_HOLE) in range(1, 17)
    os.close(file)


def test_vectors(t):
    file = os.open(F, os.O_RDWR)
    assert os.writev(file, [b"ab", b"", b"cde"]) == 5 and os.pwritev(file, [b"f", b"gh"], 7) == 3
    pieces = [bytearray(3), bytearray(2), bytearray(9)]
    assert os.preadv(file, pieces, 0) == 10 and b"".join(pieces)[:10] == b"abcde56fgh"
    assert os.write(file, b"") == 0 and os.read(file, 0) == b""
    os.close(file)


def test_record_locks(t):
    """Between processes, and between opens of one."""
    file, other = os.open(F, os.O_RDWR), os.open(F, os.O_RDWR)
    fcntl.flock(file, fcntl.LOCK_EX)
    assert number_of(fcntl.flock, other, fcntl.LOCK_SH | fcntl.LOCK_NB) == errno.EWOULDBLOCK
    fcntl.flock(file, fcntl.LOCK_UN)
    assert number_of(fcntl.flock, other, fcntl.LOCK_EX | fcntl.LOCK_NB) == 0
    fcntl.lockf(file, fcntl.LOCK_EX, 5)
    code = f"import fcntl, sys; f = open({F!r}, 'r+b')\nfcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 5)\n" \
           "try: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 5)\nexcept OSError: sys.exit(7)"
    assert run(["/usr/bin/python3", "-c", code], cwd=os.getcwd()).returncode == 7
    os.close(file)
    os.close(other)


def test_a_mapping_behind_the_end(t):
    """SIGBUS, and no data of others."""
    os.truncate(F, 8192)
    code = f"import mmap, os\nm = mmap.mmap(os.open({F!r}, os.O_RDWR), 8192)\nos.truncate({F!r}, 100)\n" \
           "assert m[100:4096] == bytes(3996)\nm[4096]"
    assert run(["/usr/bin/python3", "-c", code], cwd=os.getcwd()).returncode == -signal.SIGBUS


def test_a_directory_is_read(t):
    """From the beginning again, from where one was, and through changes."""
    for number in range(200):
        os.mknod(f"inputs/{number}.tmp")
    names_ = {f"{n}.tmp" for n in range(200)} | {"scratch.tmp"}
    directory = os.open("inputs", os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(2):
        assert set(os.listdir(directory)) == names_  # listdir of a descriptor rewinds it
    with os.scandir("inputs") as entries:
        for number, entry in enumerate(entries):
            os.unlink(f"inputs/{entry.name}")
    assert number == 200 and os.listdir(directory) == []
    os.close(directory)
    open(F, "wb").close()


def test_relative_to_directories(t):
    directory = os.open("inputs", os.O_RDONLY)
    os.rename("scratch.tmp", "new.tmp", src_dir_fd=directory, dst_dir_fd=directory)
    assert os.stat("new.tmp", dir_fd=directory).st_size == 10
    file = os.open("new.tmp", os.O_RDONLY, dir_fd=directory)
    os.unlink("new.tmp", dir_fd=directory)
    assert os.read(file, 4) == b"0123"
    os.close(file)
    os.close(directory)


def test_a_link_of_a_url(t, backend):
    """It is a symbolic link, which leads nowhere here."""
    os.symlink(f"{backend.url}/none.mp4", "inputs/link.mp4")
    assert stat.S_ISLNK(os.lstat("inputs/link.mp4").st_mode) and os.path.islink("inputs/link.mp4")
    assert os.lstat("inputs/link.mp4").st_size == len(os.readlink("inputs/link.mp4"))
    for call in ("stat", "open", "truncate", "chmod", "opendir"):
        assert number_of(CALLS[call], "inputs/link.mp4") == errno.ENOENT, call
    assert number_of(os.open, "inputs/link.mp4", os.O_NOFOLLOW) == errno.ELOOP
    assert number_of(os.open, "inputs/link.mp4", os.O_CREAT | os.O_EXCL) == errno.EEXIST
    assert number_of(os.listdir, "inputs/link.mp4/x") == errno.ENOENT
    os.utime("inputs/link.mp4", ns=(3, 4), follow_symlinks=False)
    assert os.lstat("inputs/link.mp4").st_mtime_ns == 4


def test_read_only(backend, tmp_path):
    """A mount that is read only refuses whatever changes something: EROFS."""
    mount = Mount(tmp_path, backend.url)
    session = mount.session()
    with open(session.inputs / "scratch.tmp", "wb") as file:
        file.write(b"0123456789")
    mount.options["ro"] = True
    mount.remount()
    os.chdir(session)
    try:
        changing = ("open, to write", "open, to make anew", "mkdir", "mknod", "symlink", "link to", "truncate", "chmod",
                    "chown", "utimensat", "unlink", "rename from")
        paths = {name: F if name in ("open, to write", "truncate", "chmod", "chown", "utimensat", "unlink", "rename from")
                 else NEW for name in changing}
        got = {name: names(number_of(CALLS[name], paths[name])) for name in changing}
        assert got == {name: ["EROFS"] for name in changing}
        assert number_of(os.open, "instruct", os.O_WRONLY) == errno.EROFS
        assert open(F, "rb").read() == b"0123456789"
    finally:
        os.chdir("/")
        mount.unmount()
