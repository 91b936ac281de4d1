"""Readers of the files of a session, and players of output.mp4, by program: each sees exactly the bytes."""
import hashlib
import os
import select
import time

import pytest

from harness import PATIENCE, ended, run, sh, spawn, wait_for
from programs import lasting, type_into

PYTHON = "/usr/bin/python3 -c"

# Each puts the bytes of $F onto standard output.
LINES = {
    "cat": "cat $F",
    "cat <": "cat < $F",
    "busybox cat": "busybox cat $F",
    "$(<) in bash": "printf '%s\\n' \"$(< $F)\"",
    "read in bash": "while IFS= read -r l || [ -n \"$l\" ]; do printf '%s\\n' \"$l\"; done < $F",
    "read in dash": "dash -c 'while IFS= read -r l; do printf \"%s\\n\" \"$l\"; done < $F'",
    "mapfile": "mapfile -t a < $F; printf '%s\\n' \"${a[@]}\"",
    "head -c": "head -c 1000000 $F",
    "tail -c +1": "tail -c +1 $F",
    "tail -c": "tail -c 1000000 $F",
    "tail -n": "tail -n 100000 $F",
    "dd": "dd if=$F status=none",
    "dd bs=1": "dd if=$F bs=1 status=none",
    "dd iflag=direct": "dd if=$F bs=64k iflag=direct status=none",
    "cp": "cp $F $T/x && cat $T/x",
    "cp -a": "cp -a $F $T/x && cat $T/x",
    "cp --sparse=always": "cp --sparse=always $F $T/x && cat $T/x",
    "busybox cp": "busybox cp $F $T/x && cat $T/x",
    "install": "install -m 600 $F $T/x && cat $T/x",
    "rsync": "rsync $F $T/x && cat $T/x",
    "rsync -a --inplace": "rsync -a --inplace $F $T/x && cat $T/x",
    "tar": "tar -C $(dirname $F) -c $(basename $F) | tar -xO",
    "tar -S": "tar -C $(dirname $F) -cS $(basename $F) | tar -xO",
    "zip": "rm -f $T/x.zip; zip -qj $T/x.zip $F && unzip -p $T/x.zip",
    "gzip": "gzip -c $F | gzip -dc",
    "sftp": "echo get $F $T/x | sftp -q -b - -D /usr/lib/openssh/sftp-server > /dev/null && cat $T/x",
    "curl": "curl -sSf file://$F",
    "gio cat": "gio cat $F",
    "gio copy": "gio copy $F $T/x && cat $T/x",
    "less": "less $F | cat",
    "sed": "sed '' $F",
    "awk": "awk 1 $F",
    "perl": "perl -pe '' $F",
    "grep": "grep -a '' $F",
    "tee": "tee $T/x < $F > /dev/null && cat $T/x",
    "xxd": "xxd $F | xxd -r",
    "base64": "base64 $F | base64 -d",
    "paste": "paste $F",
    "vim": "vim -u NONE -es -c 'w! '$T/x -c q! $F < /dev/null; cat $T/x",
    "ed": "printf 'w %s\\nq\\n' $T/x | ed -s $F && cat $T/x",
    "shutil.copyfile": PYTHON + " 'import os, shutil; shutil.copyfile(os.environ[\"F\"], os.environ[\"T\"] + \"/x\")' && cat $T/x",
    "shutil.copy2": PYTHON + " 'import os, shutil; shutil.copy2(os.environ[\"F\"], os.environ[\"T\"] + \"/x\")' && cat $T/x",
    "scp": "scp -q -D /usr/lib/openssh/sftp-server nowhere:$F $T/x && cat $T/x",
    "rclone cat": "rclone cat $F",
    "rclone copyto": "rclone copyto $F $T/x && cat $T/x",
    "7z a": "rm -f $T/x.7z; 7z a $T/x.7z $F > /dev/null && 7z x -so $T/x.7z",
    "sponge": "sponge $T/x < $F && cat $T/x",
    "cpio": "echo $(basename $F) | (cd $(dirname $F) && cpio -o --quiet) | (cd $T && cpio -iu --quiet && cat $(basename $F))",
    "split": "rm -f $T/p.*; split -b 999 -a 4 $F $T/p. && cat $T/p.*",
    "openssl": "openssl enc -base64 -in $F | openssl enc -base64 -d",
    "node copyFile": "node -e 'require(`fs`).copyFileSync(process.env.F, process.env.T + `/x`)' && cat $T/x",
    "node readFile": "node -e 'process.stdout.write(require(`fs`).readFileSync(process.env.F))'",
    "node streams": "node -e 'require(`fs`).createReadStream(process.env.F).pipe(process.stdout)'",
    "aiofiles": PYTHON + " 'import aiofiles, asyncio, os, sys\nasync def main():\n  async with aiofiles.open(os.environ[\"F\"], \"rb\") as f: sys.stdout.buffer.write(await f.read())\nasyncio.run(main())'",
    "copy_file_range, or else": PYTHON + " 'import os; f = os.open(os.environ[\"F\"], 0); o = os.open(os.environ[\"T\"] + \"/x\", 65 + 512, 0o600)\n"
                                        "try:\n  while os.copy_file_range(f, o, 65536): pass\n"
                                        "except OSError:\n  while os.sendfile(o, f, None, 65536): pass' && cat $T/x",
    "splice": PYTHON + " 'import os; f = os.open(os.environ[\"F\"], 0)\nwhile os.splice(f, 1, 65536): pass' | cat",
    "sendfile": PYTHON + " 'import os; f = os.open(os.environ[\"F\"], 0); at = 0\nwhile n := os.sendfile(1, f, at, 65536): at += n'",
    "mmap, private": PYTHON + " 'import mmap, os, sys; f = open(os.environ[\"F\"], \"rb\")\n"
                              "sys.stdout.buffer.write(mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)[:])'",
    "preadv, backwards": PYTHON + " 'import os, sys; f = os.open(os.environ[\"F\"], 0); n = os.fstat(f).st_size\n"
                                  "sys.stdout.buffer.write(b\"\".join(reversed([os.pread(f, min(100, e), max(0, e - 100)) for e in range(n, 0, -100)])))'",
}
TEXTS = ["status.txt", "history.txt", "reply.txt", "state.json", "timeline.txt", "credits", "../README.txt"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory, media):
    """One finished session for all the readers: they change nothing."""
    with lasting(tmp_path_factory.mktemp("shared")) as (backend, mount):
        session = mount.session()
        for name in ("clip.mp4", "voice.wav"):
            assert run(["cp", media / name, session.inputs]).returncode == 0
        session.say("sync this voiceover to the speaker")
        assert "output.mp4 is ready" in session.reply()
        wait_for("the queries to end", backend.quiet)
        session.backend = backend
        yield session


def digest(line, shared, tmp_path, name):
    (tmp_path / "x").unlink(missing_ok=True)  # copies may be as read-only as what they are of
    done = sh(f"({line}) | sha256sum", env={**os.environ, "F": str(shared / name), "T": str(tmp_path), "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[0]


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_text(shared, tmp_path, line):
    for name in TEXTS:
        content = (shared / name).read_bytes()
        assert content.endswith(b"\n"), name
        assert digest(line, shared, tmp_path, name) == hashlib.sha256(content).hexdigest(), name


# What goes through lines of text is for texts.
FOR_TEXTS = ("$(<) in bash", "read in bash", "read in dash", "mapfile", "less", "vim", "ed", "awk", "dd bs=1", "tail -n", "grep", "paste", "sed")


@pytest.mark.parametrize("line", [v for k, v in LINES.items() if k not in FOR_TEXTS], ids=[k for k in LINES if k not in FOR_TEXTS])
def test_video(shared, tmp_path, line):
    for name in ("output.mp4", "inputs/clip.mp4"):
        content = (shared / name).read_bytes()
        assert digest(line, shared, tmp_path, name) == hashlib.sha256(content).hexdigest(), name


# Each says something true of $F, whose copy is $C.
TRUTHS = {
    "wc -c": "[ $(wc -c < $F) = $(wc -c < $C) ]",
    "wc": "[ \"$(wc < $F)\" = \"$(wc < $C)\" ]",
    "stat": "[ $(stat -c %s $F) = $(stat -c %s $C) ]",
    "ls -l": "[ $(ls -l $F | awk '{print $5}') = $(stat -c %s $C) ]",
    "find -size": "[ -n \"$(find $F -size $(stat -c %s $C)c)\" ]",
    "du -b": "[ $(du -b $F | cut -f1) = $(stat -c %s $C) ]",
    "du": "[ $(du -B512 $F | cut -f1) -ge 1 ]",
    "test -s": "[ -s $F ]",
    "cmp": "cmp $F $C",
    "diff": "diff $F $C",
    "sha256sum -c": "(cd $(dirname $C) && sha256sum < $C | sha256sum -c --quiet <(sed \"s,-,$F,\") 2> /dev/null) || [ \"$(sha256sum < $F)\" = \"$(sha256sum < $C)\" ]",
    "md5sum": "[ \"$(md5sum < $F)\" = \"$(md5sum < $C)\" ]",
    "file": "[ \"$(file -b $F)\" = \"$(file -b $C)\" ] && ! file -b $F | grep -q empty",
    "grep -c": "[ $(grep -c . $F) = $(grep -c . $C) ]",
    "rsync -n": "[ -z \"$(rsync -nc --out-format=%n $F $C)\" ]",
    "sort": "[ \"$(sort $F)\" = \"$(sort $C)\" ]",
    "gio info": "gio info $F | grep -q \"size: $(stat -c %s $C)\"",
    "head -n 1": "[ \"$(head -n 1 $F)\" = \"$(head -n 1 $C)\" ]",
    "tail -n 1": "[ \"$(tail -n 1 $F)\" = \"$(tail -n 1 $C)\" ]",
}


@pytest.mark.parametrize("line", TRUTHS.values(), ids=TRUTHS.keys())
def test_truth(shared, tmp_path, line):
    for name in TEXTS:
        copy = tmp_path / "copy"
        copy.write_bytes((shared / name).read_bytes())
        done = sh(line, env={**os.environ, "F": str(shared / name), "C": str(copy)})
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"


def test_jq(shared):
    assert run(["jq", "-e", "type == \"object\"", shared / "state.json"]).returncode == 0
    assert run(["jq", "-e", ".", shared / "state.json"]).stdout.strip()


def test_less_on_a_terminal(shared, tmp_path):
    assert type_into(["less", shared / "history.txt"], [(b"history.txt", b"q")], tmp_path) == 0


def test_listing_programs_ask_nobody(shared):
    """What looks at names, sizes and first bytes, as libraries of desktops do, is no query."""
    before = len(shared.backend.requests())
    for line in ("ls -laR .", "find . -ls", "du -ah .", "gio list -l .", "gio tree .", "gio info -a '*' state.json", "tree . || true",
                 "df .", "stat *", "test -s state.json", "rsync -an . /nonexistent", "tar -cf /dev/null --no-recursion ."):
        assert sh(line, cwd=shared.path).returncode == 0, line
    assert shared.backend.requests()[before:] == []


def test_tail_follows_the_history(backend, session):
    session.wait_status("idle")
    with ended(spawn(["tail", "-n", "+1", "-f", session / "history.txt"])) as tail:
        shown = b""
        for words in (b"make it softer", b"make it louder"):
            session.say(words.decode())
            deadline = time.monotonic() + 20 * PATIENCE
            while words not in shown:
                ready, _, _ = select.select([tail.stdout], [], [], max(0, deadline - time.monotonic()))
                assert ready, f"tail did not show {words!r}: {shown!r}"
                shown += os.read(tail.stdout.fileno(), 65536)
            session.reply()
        assert shown.count(b"make it softer") == 1


def test_one_version_for_each_reader(session):
    """Who holds a file open across a change reads on what he began with."""
    session.wait_status("idle")
    names = ["status.txt", "state.json", "timeline.txt", "credits", "history.txt"]
    files = {name: open(session / name, "rb", buffering=0) for name in names}
    try:
        before = {name: file.read() for name, file in files.items()}
        session.say('add the title "Changed"')
        session.reply()
        assert session.text("history.txt").encode() != before["history.txt"]
        for name in names:
            assert os.pread(files[name].fileno(), 1 << 20, 0)[:len(before[name])] == before[name], name
    finally:
        for file in files.values():
            file.close()


# Players: $F is output.mp4.
PLAYERS = {
    "ffprobe": "ffprobe -v error -show_format -show_streams $F",
    "ffprobe -count_frames": "ffprobe -v error -count_frames -show_streams $F",
    "ffmpeg, the whole": "ffmpeg -v error -xerror -i $F -f null -",
    "ffmpeg -ss before": "ffmpeg -v error -xerror -ss 3 -i $F -frames:v 5 -f null -",
    "ffmpeg -ss after": "ffmpeg -v error -xerror -i $F -ss 3 -frames:v 5 -f null -",
    "ffmpeg -sseof": "ffmpeg -v error -xerror -sseof -1 -i $F -f null -",
    "ffmpeg, a thumbnail": "ffmpeg -v error -i $F -vf thumbnail -frames:v 1 -f image2pipe -c:v png - | file - | grep -q PNG",
    "ffmpeg, copied": "ffmpeg -v error -i $F -c copy -movflags +faststart $T/x.mp4 && ffprobe -v error $T/x.mp4",
    "ffplay": "SDL_VIDEODRIVER=dummy SDL_AUDIODRIVER=dummy ffplay -v error -autoexit -nodisp -ss 4 $F",
    "ffplay, seeking": "SDL_VIDEODRIVER=dummy SDL_AUDIODRIVER=dummy ffplay -v error -autoexit -ss 2 -t 1 $F",
    "mpv": "mpv --no-config --vo=null --ao=null --untimed --no-audio --really-quiet --frames=20 $F",
    "mpv --start": "mpv --no-config --vo=null --ao=null --untimed --no-audio --really-quiet --start=80% $F",
    "sox of its sound": "ffmpeg -v error -i $F -f wav - | sox -t wav - -n stat 2>&1 | grep -q Samples",
    "players side by side": "for s in 0 1 2 3 4; do ffmpeg -v error -xerror -ss $s -i $F -f null - & p=\"$p $!\"; done; for i in $p; do wait $i || exit 1; done",
}


@pytest.mark.parametrize("line", PLAYERS.values(), ids=PLAYERS.keys())
def test_player(shared, tmp_path, line):
    done = sh(line, env={**os.environ, "F": str(shared.output), "T": str(tmp_path), "HOME": str(tmp_path)}, timeout=60)
    assert done.returncode == 0 and "rror" not in done.stderr, done.stderr
