"""Writers into inputs/: every program uploads what it wrote, once, under its final name."""
import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from harness import ended, error_of, is_mounted, run, sh, spawn, wait_for
from programs import nothing_left, uploaded_once, uploads_ended

PY = "/usr/bin/python3 -c"


# Each line writes $SRC's bytes to inputs/x.mp4 (the current directory is the session's), $TMP is elsewhere.
WRITERS = {
    "cp": "cp $SRC inputs/x.mp4",
    "cp -p": "cp -p $SRC inputs/x.mp4",
    "cp -a": "cp -a $SRC inputs/x.mp4",
    "cp --reflink=auto": "cp --reflink=auto $SRC inputs/x.mp4",
    "cp --sparse=always": "cp --sparse=always $SRC inputs/x.mp4",
    "cp -r of a folder's content": "mkdir $TMP/d && cp $SRC $TMP/d/x.mp4 && cp -r $TMP/d/. inputs",
    "mv from elsewhere": "cp $SRC /dev/shm/x.$$.mp4 && mv /dev/shm/x.$$.mp4 inputs/x.mp4",
    "install": "install -m 644 $SRC inputs/x.mp4",
    "install -D -p": "install -D -p $SRC inputs/x.mp4",
    "dd": "dd if=$SRC of=inputs/x.mp4 status=none",
    "dd bs=1M": "dd if=$SRC of=inputs/x.mp4 bs=1M status=none",
    "dd bs=777": "dd if=$SRC of=inputs/x.mp4 bs=777 status=none",
    "dd conv=notrunc": "dd if=$SRC of=inputs/x.mp4 bs=64k conv=notrunc status=none",
    "dd conv=fsync": "dd if=$SRC of=inputs/x.mp4 bs=64k conv=fsync status=none",
    "dd oflag=direct": "dd if=$SRC of=inputs/x.mp4 bs=64k oflag=direct status=none",
    "cat": "cat $SRC > inputs/x.mp4",
    "cat, appending": "cat $SRC >> inputs/x.mp4",
    "cat, noclobber": "set -C; cat $SRC > inputs/x.mp4",
    "cat in dash": "dash -c 'cat $SRC > inputs/x.mp4'",
    "cat in zsh": "zsh -fc 'cat $SRC > inputs/x.mp4'",
    "tee": "tee inputs/x.mp4 < $SRC > /dev/null",
    "tee -a": "tee -a inputs/x.mp4 < $SRC > /dev/null",
    "two cats in a group": "{ head -c 1000 $SRC; tail -c +1001 $SRC; } > inputs/x.mp4",
    "two cats in a subshell": "( head -c 1000 $SRC; tail -c +1001 $SRC ) > inputs/x.mp4",
    "a descriptor of the shell": "exec 3> inputs/x.mp4; head -c 1000 $SRC >&3; /bin/true; tail -c +1001 $SRC >&3; exec 3>&-",
    "a writer in the background": "{ head -c 1000 $SRC; tail -c +1001 $SRC & wait; } > inputs/x.mp4",
    "rsync": "rsync $SRC inputs/x.mp4",
    "rsync -a": "rsync -a $SRC inputs/x.mp4",
    "rsync --inplace": "rsync --inplace $SRC inputs/x.mp4",
    "rsync --partial": "rsync --partial $SRC inputs/x.mp4",
    "sftp": "echo put $SRC inputs/x.mp4 | sftp -q -b - -D /usr/lib/openssh/sftp-server",
    "curl -o": "curl -sSf $WEB/clip.mp4 -o inputs/x.mp4",
    "curl -R -o": "curl -sSf -R $WEB/clip.mp4 -o inputs/x.mp4",
    "wget -O": "wget -q $WEB/clip.mp4 -O inputs/x.mp4",
    "tar x": "cp $SRC $TMP/x.mp4 && tar -C $TMP -cf $TMP/x.tar x.mp4 && tar -C inputs -xf $TMP/x.tar",
    "unzip": "cp $SRC $TMP/x.mp4 && (cd $TMP && zip -q x.zip x.mp4) && unzip -q -d inputs $TMP/x.zip",
    "gio copy": "gio copy $SRC inputs/x.mp4",
    "gio move": "cp $SRC /dev/shm/y.$$.mp4 && gio move /dev/shm/y.$$.mp4 inputs/x.mp4",
    "shutil.copy": PY + " 'import shutil; shutil.copy(\"'$SRC'\", \"inputs/x.mp4\")'",
    "shutil.copy2": PY + " 'import shutil; shutil.copy2(\"'$SRC'\", \"inputs/x.mp4\")'",
    "shutil.copyfile": PY + " 'import shutil; shutil.copyfile(\"'$SRC'\", \"inputs/x.mp4\")'",
    "backwards": PY + """ '
import os
data = open(os.environ["SRC"], "rb").read()
with open("inputs/x.mp4", "wb", buffering=0) as f:
    for at in reversed(range(0, len(data), 50000)):
        f.seek(at); f.write(data[at:at + 50000])'""",
    "mmap": PY + """ '
import mmap, os
data = open(os.environ["SRC"], "rb").read()
fd = os.open("inputs/x.mp4", os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, len(data))
with mmap.mmap(fd, len(data)) as m:
    m[:] = data
os.close(fd)'""",
    "mmap, the descriptor closed before": PY + """ '
import mmap, os
data = open(os.environ["SRC"], "rb").read()
fd = os.open("inputs/x.mp4", os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, len(data))
m = mmap.mmap(fd, len(data))
m[:] = data; m.flush()
os.close(fd); m.close()'""",
    "posix_fallocate": PY + """ '
import os
data = open(os.environ["SRC"], "rb").read()
fd = os.open("inputs/x.mp4", os.O_RDWR | os.O_CREAT)
os.posix_fallocate(fd, 0, len(data))
os.pwrite(fd, data, 0); os.close(fd)'""",
    "dup": PY + """ '
import os
data = open(os.environ["SRC"], "rb").read()
a = os.open("inputs/x.mp4", os.O_WRONLY | os.O_CREAT)
b = os.dup(a)
os.write(a, data[:1000]); os.close(a)
os.write(b, data[1000:]); os.close(b)'""",
    "fork": PY + """ '
import os
data = open(os.environ["SRC"], "rb").read()
fd = os.open("inputs/x.mp4", os.O_WRONLY | os.O_CREAT)
os.write(fd, data[:1000])
if os.fork() == 0:
    os.write(fd, data[1000:]); os.close(fd); os._exit(0)
os.wait(); os.close(fd)'""",
    "exit without closing": PY + """ '
import os
fd = os.open("inputs/x.mp4", os.O_WRONLY | os.O_CREAT)
os.write(fd, open(os.environ["SRC"], "rb").read()); os._exit(0)'""",
    "truncated to its length": PY + """ '
import os
data = open(os.environ["SRC"], "rb").read()
fd = os.open("inputs/x.mp4", os.O_WRONLY | os.O_CREAT)
os.write(fd, data + b"too much"); os.ftruncate(fd, len(data)); os.close(fd)'""",
    "a temporary name, then renamed": "cp $SRC inputs/x.mp4.part && mv inputs/x.mp4.part inputs/x.mp4",
    "a hidden name, then renamed": "cp $SRC inputs/.x.mp4.Ab12Cd && mv inputs/.x.mp4.Ab12Cd inputs/x.mp4",
}


@pytest.mark.parametrize("line", WRITERS.values(), ids=WRITERS.keys())
def test_writer(backend, session, media, web, tmp_path, line):
    source = media / "clip.mp4"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    env = {**os.environ, "SRC": str(source), "TMP": str(elsewhere), "WEB": web}
    done = sh(line, cwd=session.path, env=env)
    assert done.returncode == 0, done.stderr
    uploaded_once(backend, session, "x.mp4", source.read_bytes())


# These make the bytes themselves.
MAKERS = {
    "ffmpeg": ("x.mp4", "ffmpeg -v error -i $MEDIA/clip.mp4 -c copy inputs/x.mp4"),
    "ffmpeg +faststart": ("x.mp4", "ffmpeg -v error -i $MEDIA/clip.mp4 -c copy -movflags +faststart inputs/x.mp4"),
    "ffmpeg mkv": ("x.mkv", "ffmpeg -v error -i $MEDIA/clip.mp4 -c copy inputs/x.mkv"),
    "ffmpeg wav": ("x.wav", "ffmpeg -v error -i $MEDIA/voice.mp3 inputs/x.wav"),
    "ffmpeg mp3": ("x.mp3", "ffmpeg -v error -i $MEDIA/voice.wav inputs/x.mp3"),
    "ffmpeg png": ("x.png", "ffmpeg -v error -i $MEDIA/clip.mp4 -frames:v 1 inputs/x.png"),
    "sox": ("x.wav", "sox $MEDIA/voice.wav inputs/x.wav reverb"),
    "espeak-ng": ("x.wav", "espeak-ng -w inputs/x.wav 'a voice'"),
}


@pytest.mark.parametrize("name, line", MAKERS.values(), ids=MAKERS.keys())
def test_maker(backend, session, media, name, line):
    done = sh(line, cwd=session.path, env={**os.environ, "MEDIA": str(media)})
    assert done.returncode == 0, done.stderr
    uploaded_once(backend, session, name, (session.inputs / name).read_bytes())


@pytest.mark.parametrize("name", ["clip.mov", "clip.mkv", "voice.wav", "voice.mp3", "voice.m4a", "title.png"])
def test_types(backend, session, media, name):
    assert run(["cp", media / name, session.inputs]).returncode == 0
    uploaded_once(backend, session, name, (media / name).read_bytes())


@pytest.mark.parametrize("name", ["CLIP.MP4", "two words.mp4", "日本語.mp4", "a" * 251 + ".mp4", "-f.mp4", "a;b.mp4", "q'q.mp4", "100%.mp4",
                                  "tab\t.mp4"])
def test_names(backend, session, media, name):
    shutil.copyfile(media / "clip.mp4", session.inputs / name)
    uploaded_once(backend, session, name, (media / "clip.mp4").read_bytes())


@pytest.mark.parametrize("name", ["notes.txt", "clip", "clip.mp4.zip", "mp4", "x.mp4x", "notes.txt.part"])
def test_unsupported_names(session, name):
    with pytest.raises(OSError) as error:
        os.open(session.inputs / name, os.O_CREAT | os.O_WRONLY)
    assert error.value.errno == errno.EOPNOTSUPP
    assert os.listdir(session.inputs) == []


def test_cp_tells_of_an_unsupported_name(session, tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    done = run(["cp", tmp_path / "notes.txt", session.inputs])
    assert done.returncode == 1 and "Operation not supported" in done.stderr


def test_a_folder_is_refused(session, tmp_path, media):
    (tmp_path / "d").mkdir()
    shutil.copy(media / "clip.mp4", tmp_path / "d")
    done = run(["cp", "-r", tmp_path / "d", session.inputs])
    assert done.returncode == 1 and "Operation not permitted" in done.stderr
    done = run(["cp", "-r", tmp_path / "d", session.path])
    assert done.returncode == 1 and "Permission denied" in done.stderr
    assert os.listdir(session.inputs) == []
    assert not (session / "d").exists()


@pytest.mark.parametrize("name", [".hidden.mp4", "x.mp4~", "x.mp4.part", "x.mp4.partial", "x.mp4.tmp", "x.mp4.temp",
                                  "x.mp4.crdownload", "x.mp4.download", "x.mp4.filepart", "x.mp4.swp", "x.mp4.bak"])
def test_temporary_names_upload_nothing(backend, session, media, name):
    shutil.copyfile(media / "clip.mp4", session.inputs / name)
    uploads_ended(session)
    assert backend.requests("upload") == []
    assert (session.inputs / name).read_bytes() == (media / "clip.mp4").read_bytes()
    os.unlink(session.inputs / name)
    assert os.listdir(session.inputs) == []


@pytest.mark.parametrize("line", [": > inputs/x.mp4", "touch inputs/x.mp4", "exec 3> inputs/x.mp4; exec 3>&-"])
def test_nothing_written_uploads_nothing(backend, session, line):
    assert sh(line, cwd=session.path).returncode == 0
    uploads_ended(session)
    assert backend.requests("upload") == []


def test_close_tells_that_the_backend_has_it(backend, session, media):
    """Not later: at the moment cp ends."""
    assert run(["cp", media / "clip.mp4", session.inputs / "x.mp4"]).returncode == 0
    assert [f["name"] for f in backend.files()] == ["x.mp4"]
    assert "x.mp4" in session.history()


def test_replaced(backend, session, media):
    shutil.copyfile(media / "clip.mp4", session.inputs / "x.mp4")
    assert sh(f"cat {media}/clip.mov > {session.inputs}/x.mp4").returncode == 0
    assert (session.inputs / "x.mp4").read_bytes() == (media / "clip.mov").read_bytes()
    assert sh(f"rsync -I {media}/clip.mp4 {session.inputs}/x.mp4").returncode == 0
    uploads_ended(session)
    assert [f["name"] for f in backend.files()] == ["x.mp4"] * 3
    assert backend.content(backend.files()[-1]) == (media / "clip.mp4").read_bytes()
    assert (session.inputs / "x.mp4").read_bytes() == (media / "clip.mp4").read_bytes()


def test_appended(backend, session, media):
    sound = (media / "voice.mp3").read_bytes()
    (session.inputs / "v.mp3").write_bytes(sound)
    assert sh(f"cat {media}/voice.mp3 >> {session.inputs}/v.mp3").returncode == 0
    assert [backend.content(f) for f in backend.files()] == [sound, sound + sound]


def test_metadata_uploads_nothing(backend, session, media):
    path = session.inputs / "x.mp4"
    shutil.copyfile(media / "clip.mp4", path)
    os.utime(path, ns=(1_000_000_000, 1_234_567_890_123_456_789))
    os.chmod(path, 0o755)
    os.chown(path, os.getuid(), os.getgid())
    uploads_ended(session)
    info = os.stat(path)
    assert info.st_mtime_ns == 1_234_567_890_123_456_789
    assert oct(info.st_mode) == oct(0o100600)
    assert len(backend.requests("upload")) == 1


def test_times_are_kept(session, media):
    source = os.stat(media / "clip.mp4")
    assert sh(f"cp -p {media}/clip.mp4 {session.inputs}").returncode == 0
    assert os.stat(session.inputs / "clip.mp4").st_mtime_ns == source.st_mtime_ns


@pytest.mark.mount(max_upload="100k")
@pytest.mark.parametrize("line", ["cp $SRC inputs/x.mp4", "cp $SRC inputs/x.mp4.part", "cat $SRC > inputs/x.mp4",
                                  "dd if=$SRC of=inputs/x.mp4 bs=777", "truncate -s 200k inputs/x.mp4"])
def test_too_large(backend, session, media, line):
    assert os.stat(media / "clip.mp4").st_size > 110_000
    done = sh(line, cwd=session.path, env={**os.environ, "SRC": str(media / "clip.mp4")})
    assert done.returncode != 0 and "File too large" in done.stderr
    assert backend.requests("upload") == []


@pytest.fixture
def recording(tmp_path):
    """Nothing in it tells how long it is meant to be."""
    path = tmp_path / "x.mp3"
    path.write_bytes(os.urandom(1_500_000))
    return path


@pytest.mark.mount(max_upload="1M")
@pytest.mark.parametrize("before, line", [
    ("true", "cp $SRC inputs"), ("true", "cat $SRC > inputs/x.mp3"), ("true", "dd if=$SRC of=inputs/x.mp3 bs=300k"),
    ("true", "tee inputs/x.mp3 < $SRC"), ("true", "cp $SRC inputs/x.mp3.part; mv inputs/x.mp3.part inputs/x.mp3"),
    ("head -c 700000 $SRC > inputs/x.mp3", "tail -c +700001 $SRC >> inputs/x.mp3")])
def test_what_fitted_is_not_uploaded(backend, session, recording, before, line):
    env = {**os.environ, "SRC": str(recording)}
    assert sh(before, cwd=session.path, env=env).returncode == 0
    uploads = len(backend.requests("upload"))
    assert "File too large" in sh(line, cwd=session.path, env=env).stderr
    session.wait_status("failed")
    status = session.status()
    assert "x.mp3" in status["error"] and status["hint"]
    with contextlib.suppress(OSError):
        uploads_ended(session)
    assert len(backend.requests("upload")) == uploads
    # A smaller one in its place is whole.
    assert sh("head -c 500000 $SRC > inputs/x.mp3", cwd=session.path, env=env).returncode == 0
    assert backend.content(backend.files()[-1]) == recording.read_bytes()[:500_000]
    assert len(backend.requests("upload")) == uploads + 1


@pytest.mark.mount(cache_size="1M")
def test_what_found_room_is_not_uploaded(backend, session, recording):
    done = run(["cp", recording, session.inputs])
    assert done.returncode == 1 and "No space left" in done.stderr
    assert "room" in session.status()["hint"]
    nothing_left(backend, session)


@pytest.mark.mount(max_upload="1M")
def test_written_after_all(backend, session, recording):
    """What a write had to leave out is there when it comes in another way."""
    data = recording.read_bytes()[:1_000_000]
    with open(session.inputs / "x.mp3", "wb", buffering=0) as file:
        with pytest.raises(OSError):
            os.pwrite(file.fileno(), b"a bit too much", len(data) - 1)
        file.write(data)
    uploaded_once(backend, session, "x.mp3", data)


@pytest.mark.backend("--max-upload", "1000")
def test_too_large_for_the_backend(session, media):
    done = run(["cp", media / "clip.mp4", session.inputs])
    assert done.returncode == 1 and "File too large" in done.stderr
    status = session.status()
    assert status[""] == "failed" and status["error"] and "trim" in status["hint"].lower()
    assert (session.inputs / "clip.mp4").read_bytes() == (media / "clip.mp4").read_bytes()


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "voice.wav", "voice.m4a"])
def test_cut_short(backend, session, media, tmp_path, name):
    content = (media / name).read_bytes()
    (tmp_path / name).write_bytes(content[:len(content) * 2 // 3])
    session.wait_status("idle")
    done = run(["cp", tmp_path / name, session.inputs])
    assert done.returncode == 1 and "Bad message" in done.stderr
    status = session.status()
    assert status[""] == "failed" and name in status["error"] and status["hint"]
    nothing_left(backend, session)


def test_cut_short_and_gone_on_with(backend, session, media):
    """In another pid namespace the close of the first program looks like the last one."""
    half = f"head -c 100000 {media}/clip.mp4; tail -c +100001 {media}/clip.mp4"
    assert sh(f"unshare -Upf --mount-proc sh -c '( {half} ) > {session.inputs}/x.mp4'").returncode == 0
    uploaded_once(backend, session, "x.mp4", (media / "clip.mp4").read_bytes())


@pytest.mark.parametrize("first, rest", [
    ("head -c 100000 {} > inputs/x.mp4", "tail -c +100001 {} >> inputs/x.mp4"),
    ("dd if={} of=inputs/x.mp4 bs=100000 count=1", "dd if={} of=inputs/x.mp4 bs=100000 skip=1 seek=1 conv=notrunc"),
    ("curl -s -r 0-99999 file://{} -o inputs/x.mp4", "curl -s -C - file://{} -o inputs/x.mp4")])
@pytest.mark.parametrize("before", ["true", "cp {} inputs/x.mp4"])
def test_piece_by_piece(backend, session, media, before, first, rest):
    """What no program copied may be all there is of it, and can be gone on with."""
    clip = media / "clip.mp4"
    assert sh(before.format(clip), cwd=session.path).returncode == 0
    uploads = len(backend.requests("upload"))
    sh(first.format(clip), cwd=session.path)
    assert (session.inputs / "x.mp4").read_bytes() == clip.read_bytes()[:100000]
    assert "x.mp4 failed" in session.status()["upload"]
    assert len(backend.requests("upload")) == uploads
    done = sh(rest.format(clip), cwd=session.path)
    assert done.returncode == 0, done.stderr
    uploads_ended(session)
    assert backend.content(backend.files()[-1]) == clip.read_bytes()
    assert len(backend.requests("upload")) == uploads + 1


def test_failed_pieces_can_be_removed(session, media):
    sh(f"head -c 100000 {media}/clip.mp4 > {session.inputs}/x.mp4")
    assert run(["rm", session.inputs / "x.mp4"]).returncode == 0
    assert os.listdir(session.inputs) == []


def test_cut_short_under_a_temporary_name(backend, session, media, tmp_path):
    (tmp_path / "x").write_bytes((media / "clip.mp4").read_bytes()[:100_000])
    done = run(["cp", tmp_path / "x", session.inputs / "x.mp4.part"])
    assert done.returncode == 1 and "Bad message" in done.stderr
    # Kept, to be gone on with; the name alone does not make it whole.
    os.rename(session.inputs / "x.mp4.part", session.inputs / "x.mp4")
    with pytest.raises(OSError) as error:
        uploads_ended(session)
    assert error.value.errno == errno.EBADMSG
    assert backend.requests("upload") == []
    assert sh(f"tail -c +100001 {media}/clip.mp4 >> {session.inputs}/x.mp4").returncode == 0
    uploaded_once(backend, session, "x.mp4", (media / "clip.mp4").read_bytes())


def wait_until_runs(process, name):
    """A shell that is signalled before its exec may go on (SIGINT while a command of its ends well)."""
    wait_for(name, lambda: Path(f"/proc/{process.pid}/comm").read_text().strip() == name)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_writer(backend, session, media, how):
    """Not a cut-short container: it is the kill that tells."""
    line = f"{{ cat {media}/clip.mp4; exec sleep 60; }} > {session.inputs}/x.mp4"
    with ended(spawn(line)) as writer:
        wait_until_runs(writer, "sleep")
        assert os.stat(session.inputs / "x.mp4").st_size == os.stat(media / "clip.mp4").st_size
        os.killpg(writer.pid, how)
        writer.wait(10)
    wait_for("the file to go", lambda: os.listdir(session.inputs) == [])
    uploads_ended(session)
    assert backend.requests("upload") == []


def test_killed_before_the_first_byte(backend, session):
    with ended(spawn(f"exec sleep 60 > {session.inputs}/x.mp4")) as writer:
        wait_until_runs(writer, "sleep")
        assert (session.inputs / "x.mp4").exists()
        os.killpg(writer.pid, signal.SIGKILL)
        writer.wait(10)
    wait_for("the file to go", lambda: os.listdir(session.inputs) == [])
    uploads_ended(session)
    assert backend.requests("upload") == []


def test_killed_while_replacing(backend, session, media):
    shutil.copyfile(media / "clip.mp4", session.inputs / "x.mp4")
    line = f"{{ cat {media}/clip.mov; exec sleep 60; }} > {session.inputs}/x.mp4"
    with ended(spawn(line)) as writer:
        wait_until_runs(writer, "sleep")
        assert os.stat(session.inputs / "x.mp4").st_size == os.stat(media / "clip.mov").st_size
        os.killpg(writer.pid, signal.SIGKILL)
        writer.wait(10)
    wait_for("the old file", lambda: (session.inputs / "x.mp4").read_bytes() == (media / "clip.mp4").read_bytes())
    assert len(backend.requests("upload")) == 1


@pytest.mark.parametrize("who", ["writer", "program"])
def test_killed_once_the_new_one_arrived(backend, mount, session, media, who):
    """What the backend took after all is replaced there by what stays here."""
    shutil.copyfile(media / "clip.mp4", session.inputs / "x.mp4")
    backend.fault("upload", stall_after=0)
    with ended(spawn(["cp", media / "clip.mov", session.inputs / "x.mp4"])) as writer:
        wait_for("the new one", lambda: len(backend.files()) == 2)
        record, = (mount.state / "sessions").glob("*/session.json")
        wait_for("a note of that", lambda: json.loads(record.read_text())["inputs"][0]["state"] == "uploading")
        if who == "writer":
            writer.send_signal(signal.SIGINT)
            writer.wait(10)
        else:
            mount.crash()
    backend.no_faults()
    if who == "program":
        mount.start()
    assert (session.inputs / "x.mp4").read_bytes() == (media / "clip.mp4").read_bytes()
    wait_for("the old one", lambda: len(backend.files()) == 3)
    assert backend.content(backend.files()[-1]) == (media / "clip.mp4").read_bytes()
    uploads_ended(session)
    assert session.status()[""] == "idle"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_upload(backend, session, tmp_path, how):
    """More than what may already be on its way: the rest never comes."""
    big = tmp_path / "big.mp3"
    big.write_bytes(os.urandom(20_000_000))
    backend.fault("upload", stall="request", stall_after=1_000_000)
    with ended(spawn(["cp", big, session.inputs])) as writer:
        wait_for("the upload", lambda: session.status()[""] == "uploading" and backend.held("upload"))
        writer.send_signal(how)
        writer.wait(5)
    wait_for("the file to go", lambda: os.listdir(session.inputs) == [])
    backend.no_faults()
    wait_for("the upload to stop", lambda: backend.held("upload") == 0)
    assert [r["complete"] for r in backend.requests("upload")] == [False]
    assert backend.files() == []
    assert "interrupted" in session.history()


def test_rm(session, media):
    shutil.copyfile(media / "clip.mp4", session.inputs / "x.mp4")
    done = run(["rm", session.inputs / "x.mp4"])
    assert done.returncode == 1 and "Operation not permitted" in done.stderr
    shutil.copyfile(media / "clip.mp4", session.inputs / "x.mp4.part")
    assert run(["rm", session.inputs / "x.mp4.part"]).returncode == 0
    assert os.listdir(session.inputs) == ["x.mp4"]


@pytest.mark.parametrize("code, words", [(4001, "Operation not supported"), (4002, "File too large"),
                                         (2001, "Disk quota exceeded"), (402, "Operation not permitted")])
def test_refused_by_the_backend(backend, session, media, code, words):
    backend.fault("upload", code=code)
    done = run(["cp", media / "clip.mp4", session.inputs])
    assert done.returncode == 1 and words in done.stderr
    status = session.status()
    assert status[""] == "failed" and status["error"]
    # It may be the only copy, so it stays; and a copy of another name tries again.
    assert (session.inputs / "clip.mp4").read_bytes() == (media / "clip.mp4").read_bytes()
    backend.no_faults()
    os.rename(session.inputs / "clip.mp4", session.inputs / "again.mp4")
    uploads_ended(session)
    assert [f["name"] for f in backend.files()] == ["again.mp4"]


def test_a_name_is_one_line_in_texts(backend, session, media):
    """A file may be called so, but not look like another line of status.txt."""
    name = "a\nlink: \x1b[31mhttp:.mp4"
    backend.fault("upload", times=1, code=4001)
    assert run(["cp", media / "clip.mp4", session.inputs / name]).returncode == 1
    assert "\nupload: a link: http:.mp4 failed: " in session.text("status.txt")
    assert run(["cp", media / "clip.mp4", session.inputs / name]).returncode == 0
    assert os.listdir(session.inputs) == [name]
    for text in ("status.txt", "history.txt"):
        assert "\x1b" not in session.text(text) and "\nlink: http:" not in session.text(text)


def test_failed_upload_can_be_removed(backend, session, media):
    backend.fault("upload", code=4001)
    assert run(["cp", media / "clip.mp4", session.inputs]).returncode == 1
    assert run(["rm", session.inputs / "clip.mp4"]).returncode == 0
    assert os.listdir(session.inputs) == []


def test_passing_faults_are_retried(backend, session, media):
    backend.fault("upload", times=2, status=503)
    assert run(["cp", media / "clip.mp4", session.inputs]).returncode == 0
    assert [f["name"] for f in backend.files()] == ["clip.mp4"]
    assert len(backend.requests("upload")) == 3


def test_background_failure_is_reported_once(backend, session, media):
    backend.fault("upload", code=4001)
    shutil.copyfile(media / "clip.mp4", session.inputs / "x.mp4.part")
    os.rename(session.inputs / "x.mp4.part", session.inputs / "x.mp4")
    with pytest.raises(OSError) as error:
        uploads_ended(session)
    assert error.value.errno == errno.EOPNOTSUPP
    assert "x.mp4" in session.text("status.txt")
    uploads_ended(session)
    assert os.listdir(session.inputs) == ["x.mp4"]


def test_by_url(backend, session, media, web):
    url = f"{web}/clip.mp4"
    os.symlink(url, session.inputs / "x.mp4")
    assert os.readlink(session.inputs / "x.mp4") == url
    uploads_ended(session)
    assert [r["headers"]["content-type"] for r in backend.requests("upload")] == ["application/json"]
    assert [backend.content(f) for f in backend.files()] == [(media / "clip.mp4").read_bytes()]


@pytest.mark.parametrize("url", ["/etc/passwd", "ftp://127.0.0.1/x.mp4", "javascript:1", "http://", "../other"])
def test_links_to_elsewhere_are_refused(session, url):
    with pytest.raises(OSError):
        os.symlink(url, session.inputs / "x.mp4")
    assert os.listdir(session.inputs) == []


def test_side_by_side(backend, session, media):
    names = [f"{i}.mp4" for i in range(8)]
    line = " & ".join(f"cp {media}/clip.mp4 {session.inputs}/{n}" for n in names) + " & wait"
    assert sh(line).returncode == 0
    assert sorted(f["name"] for f in backend.files()) == names


def test_read_while_written(session, media):
    """Thumbnailers do that."""
    content = (media / "clip.mp4").read_bytes()
    with open(session.inputs / "x.mp4", "wb", buffering=0) as file:
        file.write(content[:50_000])
        assert (session.inputs / "x.mp4").read_bytes() == content[:50_000]
        file.write(content[50_000:])
    assert (session.inputs / "x.mp4").read_bytes() == content


def test_progress(backend, session, media):
    backend.fault("upload", hold=True)
    with ended(spawn(["cp", media / "clip.mp4", session.inputs])):
        wait_for("the upload", lambda: session.status()[""] == "uploading")
        assert "clip.mp4" in session.status()["upload"] and "%" in session.status()["upload"]
        backend.no_faults()
    session.wait_status("idle")


@pytest.mark.parametrize("waits", [True, False])
def test_renamed_on_its_way(backend, session, media, waits):
    """The backend shall know it by the name that it has in the end."""
    backend.fault("upload", hold=True)
    name = "x.mp4" if waits else "x.mp4.part"
    with ended(spawn(["cp", media / "clip.mp4", session.inputs / name])) as copy:
        if not waits:
            assert copy.wait(10) == 0
            os.rename(session.inputs / name, session.inputs / "x.mp4")
        wait_for("the upload", lambda: backend.held("upload"))
        os.rename(session.inputs / "x.mp4", session.inputs / "y.mp4")
        backend.no_faults()
        assert copy.wait(10) == 0
    uploads_ended(session)
    # The one that was held back may come through all the same, before or after it.
    assert [backend.content(f) for f in backend.files() if f["name"] == "y.mp4"] == [(media / "clip.mp4").read_bytes()]


def test_cut_short_while_the_last_one_is_on_its_way(backend, session, media):
    """What the backend got is not what is there."""
    content = (media / "clip.mp4").read_bytes()
    backend.fault("upload", hold=True)
    (session.inputs / "x.mp4.part").write_bytes(content)
    os.rename(session.inputs / "x.mp4.part", session.inputs / "x.mp4")
    wait_for("the upload", lambda: backend.held("upload"))
    assert error_of(lambda: (session.inputs / "x.mp4").write_bytes(content[:1000])) == errno.EBADMSG
    backend.no_faults()
    uploads_ended(session)
    assert "x.mp4 failed" in session.status()["upload"]
    (session.inputs / "x.mp4").write_bytes(content)
    assert backend.content(backend.files()[-1]) == content


def test_a_renamed_link_is_tried_again(backend, session, web):
    backend.fault("upload", times=1, code=4001)
    os.symlink(f"{web}/clip.mp4", session.inputs / "x.mp4")
    with pytest.raises(OSError):
        uploads_ended(session)
    os.rename(session.inputs / "x.mp4", session.inputs / "y.mp4")
    uploads_ended(session)
    assert len(backend.files()) == 1 and "upload" not in session.status()


def test_sparse_file(backend, session, tmp_path):
    """All holes: nothing is ever written to it, and yet it has a content."""
    assert sh(f"truncate -s 100k {tmp_path}/x.mp3 && cp --sparse=always {tmp_path}/x.mp3 {session.inputs}").returncode in (0, 1)
    assert os.stat(session.inputs / "x.mp3").st_size == 102400
    assert len(backend.requests("upload")) == 1


def test_no_room(backend, mount, session):
    assert is_mounted(mount.point)
    room = os.statvfs(session.inputs)
    assert room.f_bavail > 0 and room.f_blocks >= room.f_bavail
    assert subprocess.run(["df", session.inputs], stdout=subprocess.DEVNULL, check=True).returncode == 0


def test_closed_by_exec(backend, session, media):
    """The kernel keeps the process locked against /proc until FLUSH is answered: nobody may wait for anybody."""
    code = ("import os, sys\n"
            "fd = os.open(sys.argv[1] + '/inputs/voice.wav', os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)\n"
            "os.write(fd, open(sys.argv[2], 'rb').read())\n"
            "os.execv('/bin/true', ['true'])\n")
    assert run(["/usr/bin/python3", "-c", code, session.path, media / "voice.wav"], timeout=10).returncode == 0
    wait_for("the upload in the background", lambda: [f["name"] for f in backend.files()] == ["voice.wav"])
