"""The mount of an ordinary user, of another user, by mount(8) and fstab, from other namespaces.

Run by root, the tests become `nobody` for the ordinary user; run by an ordinary user they stay who they are.
"""
import os
import shutil
import signal
from pathlib import Path

import pytest

from harness import BUILD_DIR, Mount, clean_environment, ended, is_mounted, run, spawn, wait_for
from users import NOBODY, ROOT, becoming, device, mount_by_user, place  # noqa: F401

STRANGER = 65533
PYTHON = "/usr/bin/python3"
NEEDS_ROOT = pytest.mark.skipif(not ROOT, reason="only root can become somebody else or use mount(8)")


@pytest.fixture
def user(backend, place, device):
    user = mount_by_user(place, backend.url)
    try:
        user.does('mkdir "$S"')
        yield user
        user.mount.unmount()
    finally:
        user.mount.destroy()


def test_a_stale_mount_point(user):
    """Left by a kill; the next start cleans it up, through fusermount3."""
    user.mount.program.kill()
    assert user.sh('ls "$S"').returncode
    user.mount.start()
    wait_for("the mount", lambda: user.sh('ls "$S"').returncode == 0)
    assert user.mount.program.running()


def test_the_whole_way(backend, user, media):
    said = user.does('cd "$S" && cp $MEDIA/clip.mp4 $MEDIA/voice.wav inputs/ && echo "sync this voiceover to the speaker" > instruct'
                     ' && cat reply.txt && cp output.mp4 $T/finished.mp4 && ffprobe -v error $T/finished.mp4', media)
    assert "output.mp4 is ready" in said
    assert backend.messages() == ["sync this voiceover to the speaker"]


WRITERS = {
    "cp": "cp $MEDIA/clip.mp4 $S/inputs/x.mp4",
    "cp -a": "cp -a $MEDIA/clip.mp4 $S/inputs/x.mp4",
    "mv": "cp $MEDIA/clip.mp4 /dev/shm/u.$$.mp4 && mv /dev/shm/u.$$.mp4 $S/inputs/x.mp4",
    "install": "install -m 644 $MEDIA/clip.mp4 $S/inputs/x.mp4",
    "dd": "dd if=$MEDIA/clip.mp4 of=$S/inputs/x.mp4 bs=64k status=none",
    "cat": "cat $MEDIA/clip.mp4 > $S/inputs/x.mp4",
    "a group": "{ head -c 9999 $MEDIA/clip.mp4; tail -c +10000 $MEDIA/clip.mp4; } > $S/inputs/x.mp4",
    "a descriptor": "exec 3> $S/inputs/x.mp4; head -c 9999 $MEDIA/clip.mp4 >&3; tail -c +10000 $MEDIA/clip.mp4 >&3; exec 3>&-",
    "rsync -a": "rsync -rlptD $MEDIA/clip.mp4 $S/inputs/x.mp4",
    "tar x": "tar -C $MEDIA -c clip.mp4 --transform s/clip/x/ | tar -C $S/inputs -x",
    "gio copy": "gio copy $MEDIA/clip.mp4 $S/inputs/x.mp4",
    "sftp": "echo put $MEDIA/clip.mp4 $S/inputs/x.mp4 | sftp -q -b - -D /usr/lib/openssh/sftp-server",
    "ffmpeg": "ffmpeg -v error -i $MEDIA/clip.mp4 -c copy $S/inputs/x.mp4",
    "shutil.copy2": PYTHON + " -c 'import os, shutil; shutil.copy2(os.environ[\"MEDIA\"] + \"/clip.mp4\", os.environ[\"S\"] + \"/inputs/x.mp4\")'",
    "exit without closing": PYTHON + " -c 'import os; f = os.open(os.environ[\"S\"] + \"/inputs/x.mp4\", os.O_WRONLY | os.O_CREAT)\n"
                                     "os.write(f, open(os.environ[\"MEDIA\"] + \"/clip.mp4\", \"rb\").read()); os._exit(0)'",
}


@pytest.mark.parametrize("line", WRITERS.values(), ids=WRITERS.keys())
def test_writer(backend, user, media, line):
    user.does(line, media)
    user.does(": > $S/instruct")
    written = user.does("sha256sum < $S/inputs/x.mp4").split()[0]
    assert [(f["name"], f["sha256"]) for f in backend.files()] == [("x.mp4", written)]
    assert len(backend.requests("upload")) == 1
    if "ffmpeg" not in line:
        assert user.does("cmp $MEDIA/clip.mp4 $S/inputs/x.mp4", media) == ""


@pytest.mark.parametrize("line", ["echo softer > $S/instruct", "vim -u NONE -es -c 'normal Osofter' -c wq $S/instruct < /dev/null",
                                  "dash -c 'printf softer > $S/instruct'", "{ /bin/echo so; echo fter; } | tr -d '\\n' > $S/instruct",
                                  "gio save $S/instruct <<< softer"])
def test_message(backend, user, line):
    user.does(line + " && cat $S/reply.txt")
    assert [m.strip() for m in backend.messages()] == ["softer"]


def test_killed_writer(backend, user, media):
    line = f"{{ cat {media}/voice.mp3; exec sleep 60; }} > {user.session}/inputs/x.mp3"
    with ended(spawn([*user.mount.user, "/bin/bash", "-c", line])) as writer:
        wait_for("the bytes", lambda: Path(f"/proc/{writer.pid}/cmdline").read_text().startswith("sleep"))
        os.killpg(writer.pid, signal.SIGKILL)
        writer.wait(10)
    wait_for("the file to go", lambda: user.does("ls $S/inputs") == "")
    assert backend.requests("upload") == []


def test_owner_and_modes(user):
    owner = NOBODY if ROOT else os.geteuid()
    listing = user.does("stat -c '%u %a %n' $S $S/instruct $S/reply.txt").split()
    assert listing[0::3] == [str(owner)] * 3 and listing[1::3] == ["700", "600", "400"]


@NEEDS_ROOT
def test_strangers_see_nothing(user):
    for number in (STRANGER, 0):
        done = run([*becoming(number), "ls", user.mount.point])
        assert done.returncode != 0 and "Permission denied" in done.stderr


# What a stranger may do in a session, and each of what he may not.
LOOKS = "ls | grep -qx instruct && cmp $MEDIA/voice.mp3 inputs/voice.mp3 && cat status.txt history.txt state.json credits"
CHANGES = ("echo x > instruct", "mkdir ../mine", "cp /bin/true inputs/x.mp4", "rm inputs/voice.mp3", "rmdir .", "mv ../s ../t",
           "touch inputs/voice.mp3", "echo >> inputs/voice.mp3", "chmod 777 instruct", "truncate -s 0 inputs/voice.mp3")
HELD_TO_THE_MODES = "\n".join([f"{LOOKS} || exit 1", *(f"if {line}; then echo '{line} was allowed' >&2; exit 1; fi" for line in CHANGES)])


@NEEDS_ROOT
@pytest.mark.parametrize("user", [0, NOBODY])
def test_allow_other(backend, place, media, device, user):
    """The kernel judges by the modes: a stranger may look and read, and change nothing."""
    point = place / "mount"
    point.mkdir()
    for path in (place, point):
        os.chown(path, user, user)
    place.chmod(0o755)
    (place / "fuse.conf").write_text("user_allow_other\n")
    options = f"allow_other,api={backend.url},state_dir={place}/state,cache_dir={place}/cache"
    owner, stranger = " ".join(becoming(user)), " ".join(becoming(STRANGER))
    does = f"""mount --bind {place}/fuse.conf /etc/fuse.conf && {owner} {BUILD_DIR}/bin/lipsyncfs -o {options} $P || exit 1
{owner} sh -c 'mkdir $P/s && cp $MEDIA/voice.mp3 $P/s/inputs' && cd $P/s && {stranger} sh -c "$HELD_TO_THE_MODES" && ls inputs; r=$?
cd / && {owner} fusermount3 -u $P && flock {place}/state/lock true && exit $r"""
    env = {**clean_environment(place / "home"), "P": str(point), "MEDIA": str(media), "HELD_TO_THE_MODES": HELD_TO_THE_MODES}
    done = run(["unshare", "-m", "/bin/sh", "-c", does], env=env, timeout=40)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\nvoice.mp3\n")
    assert [f["name"] for f in backend.files()] == ["voice.mp3"]


def mounted_by(command, point):
    """mount(8) returns when the mount answers; the program stays in the background."""
    done = run(command, env={**os.environ, "PATH": f"{BUILD_DIR}/bin:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert is_mounted(point)


@NEEDS_ROOT
@pytest.mark.parametrize("way", ["mount -t", "fstab"])
def test_mount_command(backend, place, media, way):
    point = place / "mount"
    point.mkdir()
    options = f"api={backend.url},state_dir={place}/state,cache_dir={place}/cache"
    program = f"{BUILD_DIR}/bin/lipsyncfs"
    if way == "fstab":
        (place / "fstab").write_text(f"{program} {point} fuse {options},noauto,_netdev 0 0\n")
        command = ["mount", "-T", place / "fstab", point]
    else:
        command = ["mount", "-t", "fuse", "-o", options, program, point]
    mounted_by(command, point)
    try:
        os.mkdir(point / "s")
        assert run(["cp", media / "voice.mp3", point / "s/inputs"]).returncode == 0
        assert [f["name"] for f in backend.files()] == ["voice.mp3"]
    finally:
        done = run(["umount", point])
    assert done.returncode == 0, done.stderr
    # The lock of the state directory tells when the program is gone.
    assert run(["flock", place / "state/lock", "true"], timeout=20).returncode == 0


@NEEDS_ROOT
@pytest.mark.parametrize("user, command, end", [
    (NOBODY, "mount $P", "fusermount3 -u $P"), (NOBODY, "mount $P", "umount $P"), (0, "mount $P", "umount $P"),
    (0, "mount -t fuse.lipsyncfs -o $O lipsyncfs $P", "fusermount3 -u $P")])
def test_installed(backend, place, media, device, user, command, end):
    """The program in a directory of programs, a line in /etc/fstab, and a user who need not be root."""
    for name in ("bin", "mount"):
        (place / name).mkdir()
    os.chown(place, user, user)
    os.chown(place / "mount", user, user)
    shutil.copy(BUILD_DIR / "bin/lipsyncfs", place / "bin")
    options = f"api={backend.url},state_dir={place}/state,cache_dir={place}/cache"
    (place / "fstab").write_text(f"lipsyncfs {place}/mount fuse.lipsyncfs {options},noauto,user 0 0\n")
    does = f"{command} && mkdir $P/s && cp {media}/voice.mp3 $P/s/inputs; r=$?; " \
           f"{end} && flock {place}/state/lock true && exit $r"
    script = f'mount --bind {place}/fstab /etc/fstab && mount --bind {place}/bin /usr/local/bin && exec "$@"'
    done = run(["unshare", "-m", "/bin/sh", "-c", script, "sh", *becoming(user), "/bin/sh", "-c", does],
               env={**clean_environment(place / "home"), "P": str(place / "mount"), "O": options})
    assert done.returncode == 0, done.stderr
    assert [f["name"] for f in backend.files()] == ["voice.mp3"]


NAMESPACES = {
    "pid": "unshare -pf --mount-proc",
    "pid, its own /proc unmounted": "unshare -pf",
    "mount": "unshare -m",
    "user": "unshare -Ur",
    "user and pid": "unshare -Urpf --mount-proc",
    "user without a name there, and pid": "unshare -Upf --mount-proc",
}


@pytest.mark.parametrize("before", NAMESPACES.values(), ids=NAMESPACES.keys())
def test_from_another_namespace(backend, user, media, before):
    if not ROOT and "-U" not in before:
        before = before.replace("unshare", "unshare -Ur")
    if ROOT and "-U" not in before:
        line = f"{before} {' '.join(user.mount.user)} /bin/bash -c"
        outer = []
    else:
        line, outer = f"{before} /bin/bash -c", user.mount.user
    script = ('{ head -c 9999 $MEDIA/clip.mp4; tail -c +10000 $MEDIA/clip.mp4; } > $S/inputs/x.mp4 && '
              'exec 3> $S/instruct; /bin/echo make it >&3; echo softer >&3; exec 3>&-; cat $S/reply.txt')
    env = {**user.mount.env, "S": str(user.session), "MEDIA": str(media)}
    done = run([*outer, *line.split(), script], cwd="/", env=env, timeout=40)
    assert done.returncode == 0, done.stderr
    assert backend.messages() == ["make it\nsofter"]
    assert [f["name"] for f in backend.files()] == ["x.mp4"]
    assert backend.content(backend.files()[0]) == (media / "clip.mp4").read_bytes()


@NEEDS_ROOT
def test_mounted_in_another_pid_namespace(backend, tmp_path, media):
    """Who writes cannot be told at all: whatever was written is uploaded, last of all the whole."""
    # LeakSanitizer would look for its process under another number than /proc has it.
    mount = Mount(tmp_path, backend.url, env={"ASAN_OPTIONS": "detect_leaks=0"}, user=["unshare", "-pf", "--kill-child"])
    try:
        session = mount.session()
        assert run(["cp", media / "clip.mp4", session.inputs]).returncode == 0
        line = f"{{ head -c 9999 {media}/voice.mp3; tail -c +10000 {media}/voice.mp3; }} > {session.inputs}/v.mp3"
        assert run(["/bin/bash", "-c", line]).returncode == 0
        session.say("make it softer")
        session.reply()
        contents = {f["name"]: backend.content(f) for f in backend.files()}
        assert contents == {"clip.mp4": (media / "clip.mp4").read_bytes(), "v.mp3": (media / "voice.mp3").read_bytes()}
        assert backend.messages() == ["make it softer"]
        mount.unmount()
    finally:
        mount.destroy()
