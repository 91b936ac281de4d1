"""More writers of `instruct`, by program: editors, shells, and what they leave behind. One message each.

The common ones are in test_instruct. Programs that must make a file beside it are refused, and send nothing.
"""
import os

import pytest

from harness import run, sh
from programs import type_into

WORDS = "make the music softer"

# Each says WORDS ($W) in some number of lines; $I is `instruct`, $M a file with the text, $TMP elsewhere.
LINES = {
    "printf of many lines in bash": "printf '%s\\n' make the music softer > $I",
    "printf of many lines in dash": "dash -c 'printf \"%s\\n\" make the music softer > $I'",
    "printf of many lines in zsh": "zsh -fc 'printf \"%s\\n\" make the music softer > $I'",
    "printf of many lines in mksh": "mksh -c 'print -l make the music softer > $I 2> /dev/null || printf \"%s\\n\" make the music softer > $I'",
    "echo -e in bash": "echo -e 'make the\\nmusic softer' > $I",
    "echo in busybox ash": "busybox ash -c 'echo make the music softer > $I'",
    "echo in mksh": "mksh -c 'echo make the music softer > $I'",
    "echo, noclobber": "set -C; echo make the music softer >| $I",
    "echo, both streams": "{ echo make the; echo music softer >&2; } &> $I",
    "a here-document in dash": "dash -c 'cat > $I <<END\nmake the\nmusic softer\nEND'",
    "a here-document in zsh": "zsh -fc 'cat > $I <<END\nmake the\nmusic softer\nEND'",
    "a here-string": "cat <<< 'make the music softer' > $I",
    "a function": "f() { echo make the; echo music softer; }; f > $I",
    "a loop": "for w in make the music softer; do echo $w; done > $I",
    "a loop of programs": "for w in make the music softer; do /bin/echo $w; done > $I",
    "a loop behind a pipe": "printf '%s\\n' make the music softer | while read -r w; do echo $w; done > $I",
    "exec for good": "exec > $I; echo make the; /bin/echo music softer",
    "exec 3> in dash": "dash -c 'exec 3> $I; echo make the >&3; /bin/true; echo music softer >&3; exec 3>&-'",
    "exec 3> in zsh": "zsh -fc 'exec 3> $I; echo make the >&3; /bin/true; echo music softer >&3; exec 3>&-'",
    "exec 3>, never closed": "exec 3> $I; echo make the >&3; /bin/true; echo music softer >&3",
    "exec {fd}>": "exec {fd}> $I; echo make the >&$fd; (echo music softer >&$fd); exec {fd}>&-",
    "a coprocess": "coproc cat > $I; echo make the music softer >&${COPROC[1]}; exec {COPROC[1]}>&-; wait",
    "a background writer": "{ (sleep 0.2; echo music softer) & echo make the; wait; } > $I",
    "a background writer that stays": "{ echo make the; (sleep 0.3; echo music softer) & } > $I; wait",
    "tee -a": "tee -a $I < $M > /dev/null",
    "tee behind a pipe": "printf '%s\\n' make the music softer | tee $I > /dev/null",
    "cat -": "cat - > $I < $M",
    "cp --no-preserve=all": "cp --no-preserve=all $M $I",
    "cp -p": "cp -p $M $I",
    "dd conv=notrunc": "dd if=$M of=$I conv=notrunc status=none",
    "dd conv=fsync": "dd if=$M of=$I conv=fsync status=none",
    "dd oflag=append": "dd if=$M of=$I oflag=append conv=notrunc status=none",
    "rsync --inplace": "rsync --inplace $M $I",
    "sftp": "echo put $M $I | sftp -q -b - -D /usr/lib/openssh/sftp-server",
    "scp": "scp -q -D /usr/lib/openssh/sftp-server $M nowhere:$I",
    "sponge": "sponge $I < $M",
    "sponge -a": "sponge -a $I < $M",
    "truncate, then echo": "truncate -s 0 $I && cat $M > $I",
    "rclone copyto": "rclone copyto --ignore-size --ignore-checksum $M $I",  # it would read it again
    "node writeFile": "node -e 'require(`fs`).writeFileSync(process.env.I, `make the\\nmusic softer\\n`)'",
    "node appendFile": "node -e 'require(`fs`).appendFileSync(process.env.I, `make the music softer`)'",
    "node copyFile": "node -e 'require(`fs`).copyFileSync(process.env.M, process.env.I)'",
    "node streams": "node -e 'const o = require(`fs`).createWriteStream(process.env.I); o.write(`make the `); setTimeout(() => o.end(`music softer`), 50)'",
    "node console.log": "node -e 'console.log(`make the`); console.log(`music softer`)' > $I",
    "aiofiles": "/usr/bin/python3 -c 'import aiofiles, asyncio, os\nasync def main():\n  async with aiofiles.open(os.environ[\"I\"], \"w\") as f:\n    await f.write(\"make the \"); await f.flush(); await f.write(\"music softer\")\nasyncio.run(main())'",
    "perl": "perl -e 'open F, q(>), $ENV{I} or die; print F qq(make the\\n); print F qq(music softer\\n); close F or die'",
    "perl -i is no way, print is": "perl -pe 's/x/x/' $M > $I",
    "awk": "awk -v i=$I '{ for (n = 1; n <= NF; n++) print $n > i }' $M",
    "sed": "sed -e 's/ /\\n/g' $M > $I",
    "sort -o": "sort -o $I $M",
    "jq": "jq -nr '\"make the\", \"music softer\"' > $I",
    "grep": "grep music $M > $I",
    "xargs": "xargs printf '%s ' < $M > $I",
    "find -fprintf": "find $M -fprintf $I 'make the music softer'",
    "script -c": "script -qc 'echo make the music softer > $I' /dev/null > /dev/null",
    "time": "time -p echo make the music softer > $I",
    "nohup": "nohup echo make the music softer > $I",
    "stdbuf": "stdbuf -oL printf '%s\\n' make the music softer > $I",
    "timeout": "timeout 10 echo make the music softer > $I",
    "env": "env echo make the music softer > $I",
    "nice setsid": "nice setsid -w echo make the music softer > $I",
    "gio save": "gio save $I < $M",
    "curl, redirected": "curl -s file://$M > $I",
    "openssl": "openssl base64 -in $M | openssl base64 -d -out $I",
    "ed": "printf '%s\\n' a 'make the' 'music softer' . w q | ed -s $I",
    "ed r": "printf 'r %s\\nw\\nq\\n' $M | ed -s $I > /dev/null",
    "ex": "printf '%s\\n' a 'make the music softer' . wq | ex -s -u NONE $I",
    "vim with a backup": "vim -N -u NONE -es -c 'set backup writebackup backupcopy=auto' -c 'normal Omake the music softer' -c wq $I < /dev/null",
    "vim with a swap file": "vim -N -u NONE -es -c 'set swapfile' -c 'normal Omake the music softer' -c wq $I < /dev/null; true",
    "vim, renaming": "vim -N -u NONE -es -c 'set writebackup backupcopy=no' -c 'normal Omake the music softer' -c wq! $I < /dev/null",
    "vim, with defaults": "vim -es -c 'normal Omake the music softer' -c wq $I < /dev/null",
    "emacs --batch": "emacs -Q --batch $I --eval '(insert \"make the\\nmusic softer\\n\")' -f save-buffer 2> /dev/null",
    "python -c print": "/usr/bin/python3 -c 'print(\"make the\"); print(\"music softer\")' > $I",
    "python -u": "/usr/bin/python3 -uc 'print(\"make the\"); print(\"music softer\")' > $I",
    "python, writelines": "/usr/bin/python3 -c 'import os; open(os.environ[\"I\"], \"w\").writelines([\"make the\\n\", \"music softer\\n\"])'",
    "python, appending": "/usr/bin/python3 -c 'import os\nwith open(os.environ[\"I\"], \"a\") as f:\n  f.write(\"make the \"); f.flush(); f.write(\"music softer\")'",
    "python, r+": "/usr/bin/python3 -c 'import os\nwith open(os.environ[\"I\"], \"r+\") as f:\n  assert f.read() == \"\"; f.write(\"make the music softer\")'",
    "python, w+": "/usr/bin/python3 -c 'import os\nwith open(os.environ[\"I\"], \"w+\") as f: f.write(\"make the music softer\")'",
    "python, subprocess": "/usr/bin/python3 -c 'import os, subprocess\nwith open(os.environ[\"I\"], \"w\") as f:\n  subprocess.run([\"cat\", os.environ[\"M\"]], stdout=f, check=True)'",
    "python, shutil.copyfile": "/usr/bin/python3 -c 'import os, shutil; shutil.copyfile(os.environ[\"M\"], os.environ[\"I\"])'",
    "python, fork": "/usr/bin/python3 -c 'import os\nf = os.open(os.environ[\"I\"], os.O_WRONLY)\nif os.fork() == 0:\n  os.write(f, b\"make the \"); os._exit(0)\nos.wait(); os.write(f, b\"music softer\"); os.close(f)'",
    "python, dup": "/usr/bin/python3 -c 'import os\nf = os.open(os.environ[\"I\"], os.O_WRONLY); g = os.dup(f)\nos.write(f, b\"make the \"); os.close(f); os.write(g, b\"music softer\"); os.close(g)'",
    "python, exit without closing": "/usr/bin/python3 -c 'import os\nf = os.open(os.environ[\"I\"], os.O_WRONLY); os.write(f, b\"make the music softer\"); os._exit(0)'",
    "python, pwrite": "/usr/bin/python3 -c 'import os\nf = os.open(os.environ[\"I\"], os.O_WRONLY); os.pwrite(f, b\"make the music softer\", 0); os.fsync(f); os.close(f)'",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_program(backend, session, tmp_path, line):
    message = tmp_path / "m"
    message.write_text(WORDS + "\n")
    done = sh(line, env={**os.environ, "I": str(session.instruct), "M": str(message), "TMP": str(tmp_path),
                         "HOME": str(tmp_path), "W": WORDS})
    assert done.returncode == 0, done.stderr
    session.reply()
    assert [" ".join(m.split()) for m in backend.messages()] == [WORDS]
    assert session.instruct.read_bytes() == b""


EDITORS = {
    "nano": (["nano", "$I"], [(b"Exit", b"make the music softer\x0f"), (b"Write", b"\r"), (b"Wrote", b"\x18")]),
    "nano -B": (["nano", "-B", "$I"], [(b"Exit", b"make the music softer\x0f"), (b"Write", b"\r"), (b"rote", b"\x18")]),
    "vim": (["vim", "-u", "NONE", "$I"], [(b"instruct", b"imake the music softer\x1b:wq\r")]),
    "vim :x": (["vim", "-u", "NONE", "$I"], [(b"instruct", b"imake the music softer\x1b:x\r")]),
    "busybox vi": (["busybox", "vi", "$I"], [(b"instruct", b"imake the music softer\x1b"), (b"softer", b":wq\r")]),
    "emacs -nw": (["emacs", "-Q", "-nw", "$I"], [(b"instruct", b"make the music softer\x18\x13"), (b"rote", b"\x18\x03")]),
    "mcedit": (["mcedit", "$I"], [(b"Quit", b"make the music softer\x1b2"), (b"Save", b"\r"), (b"softer", b"\x1b0")]),
    "micro": (["micro", "$I"], [(b"instruct", b"make the music softer\x13"), (b"Saved", b"\x11")]),
}


@pytest.mark.parametrize("argv, keys", EDITORS.values(), ids=EDITORS.keys())
def test_editor(backend, session, tmp_path, argv, keys):
    home = tmp_path / "home of the editor"
    home.mkdir()
    argv = [str(session.instruct) if a == "$I" else a for a in argv]
    assert type_into(argv, keys, home) == 0
    session.reply()
    assert [" ".join(m.split()) for m in backend.messages()] == [WORDS]


def test_two_saves_of_an_editor(backend, session, tmp_path):
    keys = [(b"instruct", b"imake the music softer\x1b:w\r"), (b"written", b"ggdGimake the voice louder\x1b:wq\r")]
    assert type_into(["vim", "-u", "NONE", session.instruct], keys, tmp_path, timeout=30) == 0
    session.reply()
    assert [m.strip() for m in backend.messages()] == ["make the music softer", "make the voice louder"]


# These make another file and rename it, or remove first: refused, with words, and nothing is sent.
REFUSED = {
    "sed -i": "sed -i 's/^/x/' $I",
    "gio copy": "gio copy $M $I",
    "rsync": "rsync $M $I",
    "mv": "cp $M /dev/shm/m.$$; mv /dev/shm/m.$$ $I; r=$?; rm -f /dev/shm/m.$$; exit $r",
    "install": "install $M $I",
    "cp --remove-destination": "cp --remove-destination $M $I",
    "gio save --backup": "gio save -b $I < $M",
    "ln -sf": "ln -sf $M $I",
    "rm": "rm $I",
    "perl -i": "perl -i -pe s/^/x/ $I; exit 1",  # it says so, and exits with 0
    "7z x": "cp $M instruct && 7z a m.7z instruct > /dev/null && 7z x -y -o$(dirname $I) m.7z > /dev/null",
    "tar x": "cp $M instruct && tar -c instruct | tar -C $(dirname $I) -x",
    "ln -f": "ln -f $M $I",
}


@pytest.mark.parametrize("line", REFUSED.values(), ids=REFUSED.keys())
def test_refused(backend, session, tmp_path, line):
    message = tmp_path / "m"
    message.write_text(WORDS + "\n")
    done = sh(line, cwd=tmp_path, env={**os.environ, "I": str(session.instruct), "M": str(message)})
    assert done.returncode != 0 and done.stderr.strip()
    assert backend.messages() == []
    assert run(["test", "-f", session.instruct]).returncode == 0
