"""More writers into inputs/, by program: the rarer ways of the common ones, archives, downloads, system calls.

The common ways are in test_inputs. All hold to the same: what the backend got is what was written, by one upload,
under the final name.
"""
import os

import pytest

from harness import run, sh
from programs import uploaded_once, uploads_ended

PYTHON = "/usr/bin/python3 -c"
# What every script in Python below begins with.
SCRIPT = """
import ctypes, fcntl, mmap, os, socket, subprocess, sys, threading
data = open(os.environ["SRC"], "rb").read()
half = len(data) // 2
x = "inputs/x.mp4"
"""

# Each writes $SRC's bytes to inputs/x.mp4; the current directory is the session's, $TMP elsewhere.
LINES = {
    "cp --preserve=all": "cp --preserve=mode,ownership,timestamps $SRC inputs/x.mp4",
    "cp --sparse=never": "cp --sparse=never $SRC inputs/x.mp4",
    "cp --reflink=never": "cp --reflink=never $SRC inputs/x.mp4",
    "cp -f": "cp -f $SRC inputs/x.mp4",
    "cp -n": "cp -n $SRC inputs/x.mp4",
    "cp -u": "cp -u $SRC inputs/x.mp4",
    "cp --backup": "cp --backup=numbered $SRC inputs/x.mp4",
    "cp -T": "cp -T $SRC inputs/x.mp4",
    "cp -t": "cp $SRC $TMP/x.mp4 && cp -t inputs $TMP/x.mp4",
    "cp of a sparse temporary": "cp --sparse=always $SRC $TMP/x.mp4 && cp $TMP/x.mp4 inputs",
    "cp from a pipe": "cat $SRC | cp /dev/stdin inputs/x.mp4",
    "busybox cp": "busybox cp $SRC inputs/x.mp4",
    "busybox dd": "busybox dd if=$SRC of=inputs/x.mp4 bs=64k 2> /dev/null",
    "busybox ash": "busybox ash -c 'busybox cat $SRC > inputs/x.mp4'",
    "mksh": "mksh -c 'cat $SRC > inputs/x.mp4'",
    "mv -n": "cp $SRC /dev/shm/n.$$.mp4 && mv -n /dev/shm/n.$$.mp4 inputs/x.mp4",
    "mv of a folder's content": "mkdir /dev/shm/d.$$ && cp $SRC /dev/shm/d.$$/x.mp4 && mv /dev/shm/d.$$/* inputs && rmdir /dev/shm/d.$$",
    "install -m -o -g": "install -m 640 -o $(id -u) -g $(id -g) $SRC inputs/x.mp4",
    "dd bs=100": "dd if=$SRC of=inputs/x.mp4 bs=100 status=none",
    "dd bs=4M": "dd if=$SRC of=inputs/x.mp4 bs=4M status=none",
    "dd ibs obs": "dd if=$SRC of=inputs/x.mp4 ibs=333 obs=4567 status=none",
    "dd oflag=append": "dd if=$SRC of=inputs/x.mp4 oflag=append conv=notrunc bs=32k status=none",
    "dd oflag=sync": "dd if=$SRC of=inputs/x.mp4 oflag=sync bs=64k status=none",
    "dd oflag=dsync": "dd if=$SRC of=inputs/x.mp4 oflag=dsync bs=64k status=none",
    "dd oflag=nonblock": "dd if=$SRC of=inputs/x.mp4 oflag=nonblock bs=64k status=none",
    "dd conv=fdatasync": "dd if=$SRC of=inputs/x.mp4 conv=fdatasync bs=64k status=none",
    "dd conv=sparse": "dd if=$SRC of=inputs/x.mp4 conv=sparse bs=4k status=none",
    "dd conv=excl": "dd if=$SRC of=inputs/x.mp4 conv=excl bs=64k status=none",
    "dd seek, the tail first": "dd if=$SRC of=inputs/.x.mp4 bs=1000 skip=50 seek=50 status=none &&"
                               " dd if=$SRC of=inputs/.x.mp4 bs=1000 count=50 conv=notrunc status=none && mv inputs/.x.mp4 inputs/x.mp4",
    "dd to standard output": "dd if=$SRC bs=64k status=none > inputs/x.mp4",
    "cat of several": "head -c 5000 $SRC > $TMP/a; tail -c +5001 $SRC > $TMP/b; cat $TMP/a $TMP/b > inputs/x.mp4",
    "cat through a pipe": "cat $SRC | cat > inputs/x.mp4",
    "cat, opened for reading too": "cat $SRC 1<> inputs/x.mp4",
    "tee in a pipeline": "cat $SRC | tee inputs/x.mp4 | sha256sum > /dev/null",
    "tee -p": "tee -p inputs/x.mp4 < $SRC > /dev/null",
    "split": "split -b 1M -d -a 1 --additional-suffix=.mp4 $SRC inputs/x",
    "truncate, then dd": "truncate -s $(stat -c %s $SRC) inputs/x.mp4.part && dd if=$SRC of=inputs/x.mp4.part conv=notrunc bs=16k status=none && mv inputs/x.mp4.part inputs/x.mp4",
    "fallocate, then dd": "fallocate -l $(stat -c %s $SRC) inputs/x.mp4.part && dd if=$SRC of=inputs/x.mp4.part conv=notrunc bs=16k status=none && mv inputs/x.mp4.part inputs/x.mp4",
    "a while loop of the shell": "base64 -w 0 $SRC | fold -w 4000 | { while IFS= read -r l || [ -n \"$l\" ]; do printf %s \"$l\" | base64 -d; done; } > inputs/x.mp4",
    "a subshell in the background": "( sleep 0.2; cat $SRC ) > inputs/x.mp4 & wait",
    "xargs": "printf '%s\\n' $SRC | xargs -I{} cp {} inputs/x.mp4",
    "find -exec": "cp $SRC $TMP/x.mp4 && find $TMP -name 'x.mp4' -exec cp {} inputs ';'",
    "rsync -t": "rsync -t $SRC inputs/x.mp4",
    "rsync -a folder/": "mkdir $TMP/d && cp $SRC $TMP/d/x.mp4 && rsync -a $TMP/d/ inputs/",
    "rsync -aHSz": "rsync -aHSz $SRC inputs/x.mp4",
    "rsync --sparse": "rsync --sparse $SRC inputs/x.mp4",
    "rsync --whole-file --fsync": "rsync --whole-file --fsync $SRC inputs/x.mp4",
    "rsync --preallocate": "rsync --preallocate $SRC inputs/x.mp4",
    "rsync --append": "rsync --append $SRC inputs/x.mp4",
    "rsync -P": "rsync -P $SRC inputs/x.mp4 > /dev/null",
    "rsync --temp-dir": "rsync --temp-dir=$TMP $SRC inputs/x.mp4",
    "rsync --checksum": "rsync --checksum $SRC inputs/x.mp4",
    "rsync twice": "rsync -a $SRC inputs/x.mp4 && rsync -a $SRC inputs/x.mp4",
    "rsync --remove-source-files": "cp $SRC $TMP/x.mp4 && rsync --remove-source-files $TMP/x.mp4 inputs/ && [ ! -e $TMP/x.mp4 ]",
    "sftp put -p": "echo put -p $SRC inputs/x.mp4 | sftp -q -b - -D /usr/lib/openssh/sftp-server",
    "sftp put -f": "echo put -f $SRC inputs/x.mp4 | sftp -q -b - -D /usr/lib/openssh/sftp-server",
    "sftp, renamed": "printf 'put %s inputs/x.mp4.filepart\\nrename inputs/x.mp4.filepart inputs/x.mp4\\n' $SRC | sftp -q -b - -D /usr/lib/openssh/sftp-server",
    "sftp reput": "head -c 40000 $SRC > inputs/x.mp4.part; printf 'reput %s inputs/x.mp4.part\\nrename inputs/x.mp4.part inputs/x.mp4\\n' $SRC"
                  " | sftp -q -b - -D /usr/lib/openssh/sftp-server",
    "curl, redirected": "curl -sSf $WEB/clip.mp4 > inputs/x.mp4",
    "curl file://": "curl -sSf file://$SRC -o inputs/x.mp4",
    "curl --no-clobber": "curl -sSf --no-clobber $WEB/clip.mp4 -o inputs/x.mp4",
    "curl --create-dirs": "curl -sSf --create-dirs $WEB/clip.mp4 -o inputs/x.mp4",
    "wget": "cd inputs && wget -q $WEB/clip.mp4",
    "wget -P": "wget -q -P inputs $WEB/clip.mp4",
    "wget -c": "wget -q -c $WEB/clip.mp4 -P inputs",
    "as Firefox downloads": ": > inputs/x.mp4; cat $SRC > inputs/aB3_x9.mp4.part && mv -f inputs/aB3_x9.mp4.part inputs/x.mp4",
    "as Chromium downloads": "cat $SRC > 'inputs/Unconfirmed 123456.crdownload' && mv 'inputs/Unconfirmed 123456.crdownload' inputs/x.mp4",
    "tar xf -p": "cp -p $SRC $TMP/x.mp4 && tar -C $TMP -cf $TMP/x.tar x.mp4 && tar -C inputs -xpf $TMP/x.tar",
    "tar xz": "cp $SRC $TMP/x.mp4 && tar -C $TMP -cz x.mp4 | tar -C inputs -xz",
    "tar xS": "cp $SRC $TMP/x.mp4 && tar -C $TMP -cSf - x.mp4 | tar -C inputs -xSf -",
    "tar -O": "cp $SRC $TMP/x.mp4 && tar -C $TMP -c x.mp4 | tar -xO > inputs/x.mp4",
    "unzip -p": "cp $SRC $TMP/x.mp4 && (cd $TMP && zip -q x.zip x.mp4) && unzip -p $TMP/x.zip x.mp4 > inputs/x.mp4",
    "gunzip": "gzip -c $SRC > $TMP/x.mp4.gz && gunzip -c $TMP/x.mp4.gz > inputs/x.mp4",
    "base64 -d": "base64 $SRC | base64 -d > inputs/x.mp4",
    "xxd -r": "xxd $SRC | xxd -r - inputs/x.mp4",
    "openssl": "openssl enc -base64 -in $SRC | openssl enc -base64 -d -out inputs/x.mp4",
    "gio copy -p": "gio copy -p $SRC inputs/x.mp4 > /dev/null",
    "gio copy, preserving": "gio copy --preserve $SRC inputs/x.mp4",
    "gio save": "gio save inputs/x.mp4 < $SRC",
    "gio save --create": "gio save --create inputs/x.mp4 < $SRC",
    "gio save --unlink": "gio save --unlink inputs/x.mp4 < $SRC",
    "perl": "perl -MFile::Copy -e 'copy($ENV{SRC}, q(inputs/x.mp4)) or die $!'",
    "perl, unclosed": "perl -e 'open F, q(<), $ENV{SRC}; open G, q(>), q(inputs/x.mp4); binmode G; print G <F>'",
    "sed w": "LC_ALL=C sed -n 'w inputs/x.mp4' $SRC",
    "cp, all that saves room": "cp --reflink=auto --sparse=always $SRC inputs/x.mp4",
    "ln, or else cp": "ln $SRC inputs/x.mp4 2> /dev/null || cp -l $SRC inputs/x.mp4 2> /dev/null || cp $SRC inputs/x.mp4",
    "rsync --link-dest": "rsync -a --link-dest=$(dirname $SRC) $SRC inputs/x.mp4",
    "scp": "scp -q -D /usr/lib/openssh/sftp-server $SRC nowhere:$PWD/inputs/x.mp4",
    "scp -p": "scp -qp -D /usr/lib/openssh/sftp-server $SRC nowhere:$PWD/inputs/x.mp4",
    "scp -O": "printf '#!/bin/sh\\nfor c; do :; done\\nexec sh -c \"$c\"\\n' > $TMP/ssh && chmod +x $TMP/ssh && scp -qO -S $TMP/ssh $SRC nowhere:$PWD/inputs/x.mp4",
    "rclone copyto": "rclone copyto $SRC inputs/x.mp4",
    "rclone copy": "mkdir $TMP/d && cp $SRC $TMP/d/x.mp4 && rclone copy $TMP/d inputs",
    "rclone sync": "mkdir $TMP/d && cp $SRC $TMP/d/x.mp4 && rclone sync $TMP/d inputs && rclone sync $TMP/d inputs && rclone check $TMP/d inputs",
    "rclone move": "cp $SRC $TMP/x.mp4 && rclone move $TMP/x.mp4 inputs && [ ! -e $TMP/x.mp4 ]",
    "rclone rcat": "rclone rcat inputs/x.mp4 < $SRC",
    "rclone copyurl": "rclone copyurl $WEB/clip.mp4 inputs/x.mp4",
    "7z x": "cp $SRC $TMP/x.mp4 && 7z a $TMP/x.7z $TMP/x.mp4 > /dev/null && 7z x -oinputs $TMP/x.7z > /dev/null",
    "7z e of a zip": "cp $SRC $TMP/x.mp4 && 7z a $TMP/x.zip $TMP/x.mp4 > /dev/null && 7z e -oinputs $TMP/x.zip > /dev/null",
    "7z x -so": "cp $SRC $TMP/x.mp4 && 7z a $TMP/x.7z $TMP/x.mp4 > /dev/null && 7z x -so $TMP/x.7z > inputs/x.mp4",
    "sponge": "sponge inputs/x.mp4 < $SRC",
    "pee": "pee 'cat > inputs/x.mp4' sha256sum < $SRC > /dev/null",
    "tee -a, in pieces": "split -b 20k $SRC $TMP/p. && for p in $TMP/p.*; do tee -a inputs/x.mp4.part < $p > /dev/null; done && mv inputs/x.mp4.part inputs/x.mp4",
    "truncate -s, to its length": "{ cat $SRC; echo too much; } > inputs/x.mp4.part && truncate -s $(stat -c %s $SRC) inputs/x.mp4.part && mv inputs/x.mp4.part inputs/x.mp4",
    "cpio": "cp $SRC $TMP/x.mp4 && (cd $TMP && echo x.mp4 | cpio -o --quiet) | (cd inputs && cpio -i --quiet)",
    "node copyFile": "node -e 'require(`fs`).copyFileSync(process.env.SRC, `inputs/x.mp4`)'",
    "node copyFile, promised": "node -e 'require(`fs/promises`).copyFile(process.env.SRC, `inputs/x.mp4`, 1)'",
    "node cp": "node -e 'require(`fs`).cpSync(process.env.SRC, `inputs/x.mp4`, {preserveTimestamps: true})'",
    "node writeFile": "node -e 'const fs = require(`fs`); fs.writeFileSync(`inputs/x.mp4`, fs.readFileSync(process.env.SRC))'",
    "node streams": "node -e 'const fs = require(`fs`); fs.createReadStream(process.env.SRC).pipe(fs.createWriteStream(`inputs/x.mp4`))'",
    "node, left open": "node -e 'const fs = require(`fs`); fs.writeSync(fs.openSync(`inputs/x.mp4`, `wx`), fs.readFileSync(process.env.SRC))'",
    "python aiofiles": PYTHON + """ '
import aiofiles, asyncio, os
async def main():
    async with aiofiles.open(os.environ["SRC"], "rb") as i, aiofiles.open("inputs/x.mp4", "wb") as o:
        while piece := await i.read(30000):
            await o.write(piece)
asyncio.run(main())'""",
    "python asyncio, in threads": PYTHON + """ '
import asyncio, os, shutil
async def main():
    await asyncio.gather(asyncio.to_thread(shutil.copyfile, os.environ["SRC"], "inputs/x.mp4"), asyncio.sleep(0))
asyncio.run(main())'""",
    "python asyncio, a subprocess": PYTHON + """ '
import asyncio, os
async def main():
    with open("inputs/x.mp4", "wb") as o:
        assert await (await asyncio.create_subprocess_exec("cat", os.environ["SRC"], stdout=o)).wait() == 0
asyncio.run(main())'""",
    "python pathlib": PYTHON + " 'import os, pathlib; pathlib.Path(\"inputs/x.mp4\").write_bytes(open(os.environ[\"SRC\"], \"rb\").read())'",
    "python shutil.move": "cp $SRC /dev/shm/z.$$.mp4 && " + PYTHON + " 'import shutil, sys; shutil.move(sys.argv[1], \"inputs/x.mp4\")' /dev/shm/z.$$.mp4",
    "python tempfile, os.replace": PYTHON + " 'import os, tempfile\nwith tempfile.NamedTemporaryFile(dir=\"inputs\", prefix=\".x.mp4.\", delete=False) as f: f.write(open(os.environ[\"SRC\"], \"rb\").read())\nos.replace(f.name, \"inputs/x.mp4\")'",
    "python urlretrieve": PYTHON + " 'import os, urllib.request; urllib.request.urlretrieve(os.environ[\"WEB\"] + \"/clip.mp4\", \"inputs/x.mp4\")'",
    "python zipfile": PYTHON + " 'import os, zipfile\nt = os.environ[\"TMP\"] + \"/x.zip\"\nwith zipfile.ZipFile(t, \"w\") as z: z.write(os.environ[\"SRC\"], \"x.mp4\")\nzipfile.ZipFile(t).extractall(\"inputs\")'",
}

# Scripts in Python, for system calls.
SCRIPTS = {
    "sendfile": "o = os.open(x, os.O_WRONLY | os.O_CREAT); i = os.open(os.environ['SRC'], os.O_RDONLY)\n"
                "at = 0\nwhile n := os.sendfile(o, i, at, 1 << 20): at += n\nos.close(o)",
    "splice": "o = os.open(x, os.O_WRONLY | os.O_CREAT); i = os.open(os.environ['SRC'], os.O_RDONLY); r, w = os.pipe()\n"
              "while n := os.splice(i, w, 65536):\n    while n: n -= os.splice(r, o, n)\nos.close(o)",
    "copy_file_range": "o = os.open(x, os.O_WRONLY | os.O_CREAT); i = os.open(os.environ['SRC'], os.O_RDONLY)\n"
                       "try:\n    while os.copy_file_range(i, o, 1 << 20): pass\n"
                       "except OSError:\n    os.lseek(i, 0, 0); os.pwrite(o, data, 0)\nos.close(o)",
    "pwritev": "o = os.open(x, os.O_WRONLY | os.O_CREAT); os.pwritev(o, [data[half:]], half); os.pwritev(o, [data[:half]], 0); os.close(o)",
    "O_APPEND": "o = os.open(x, os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n"
                "for at in range(0, len(data), 9999): os.write(o, data[at:at + 9999])\nos.close(o)",
    "O_SYNC": "o = os.open(x, os.O_WRONLY | os.O_CREAT | os.O_SYNC); os.write(o, data); os.close(o)",
    "O_DIRECT": "o = os.open(x, os.O_WRONLY | os.O_CREAT | os.O_DIRECT); m = mmap.mmap(-1, (len(data) + 4095) // 4096 * 4096)\n"
                "m[:len(data)] = data; os.write(o, m); os.ftruncate(o, len(data)); os.close(o)",
    "fsync between": "o = os.open(x, os.O_WRONLY | os.O_CREAT)\nfor at in range(0, len(data), 30000): os.write(o, data[at:at + 30000]); os.fsync(o)\nos.close(o)",
    "fallocate(KEEP_SIZE)": "o = os.open(x, os.O_WRONLY | os.O_CREAT)\n"
                            "assert ctypes.CDLL(None, use_errno=True).fallocate(o, 1, ctypes.c_long(0), ctypes.c_long(len(data))) == 0\n"
                            "assert os.fstat(o).st_size == 0; os.write(o, data); os.close(o)",
    "fallocate, too much, truncated": "o = os.open(x, os.O_WRONLY | os.O_CREAT); os.posix_fallocate(o, 0, 2 * len(data))\n"
                                      "os.write(o, data); os.ftruncate(o, len(data)); os.close(o)",
    "locks": "o = os.open(x, os.O_RDWR | os.O_CREAT); fcntl.flock(o, fcntl.LOCK_EX); fcntl.lockf(o, fcntl.LOCK_EX); os.write(o, data)\n"
             "fcntl.lockf(o, fcntl.LOCK_UN); os.close(o)",
    "mmap, grown": "o = os.open(x, os.O_RDWR | os.O_CREAT); os.ftruncate(o, half)\nm = mmap.mmap(o, half); m[:] = data[:half]\n"
                   "os.ftruncate(o, len(data)); m.resize(len(data)); m[half:] = data[half:]; m.flush(); m.close(); os.close(o)",
    "mmap, never unmapped": "o = os.open(x, os.O_RDWR | os.O_CREAT); os.ftruncate(o, len(data)); m = mmap.mmap(o, len(data)); m[:] = data\n"
                            "m.flush(); os.close(o); os._exit(0)",
    "mmap and write": "o = os.open(x, os.O_RDWR | os.O_CREAT); os.write(o, data[:half]); os.ftruncate(o, len(data))\n"
                      "m = mmap.mmap(o, len(data)); m[half:] = data[half:]; m.close(); os.close(o)",
    "dup2": "o = os.open(x, os.O_WRONLY | os.O_CREAT); os.dup2(o, 77); os.close(o); os.write(77, data); os.close(77)",
    "three dups": "a = os.open(x, os.O_WRONLY | os.O_CREAT); b = os.dup(a); c = os.dup(a)\nos.write(c, data[:half]); os.close(c)\n"
                  "os.write(a, data[half:]); os.close(a); os.close(b)",
    "/proc/self/fd": "a = os.open(x, os.O_WRONLY | os.O_CREAT); b = os.open(f'/proc/self/fd/{a}', os.O_WRONLY)\n"
                     "os.write(a, data[:half]); os.close(a); os.pwrite(b, data[half:], half); os.close(b)",
    "opened twice": "a = os.open(x, os.O_WRONLY | os.O_CREAT); b = os.open(x, os.O_WRONLY)\n"
                    "os.write(a, data[:half]); os.close(a); os.pwrite(b, data[half:], half); os.close(b)",
    "two threads": "o = os.open(x, os.O_WRONLY | os.O_CREAT)\nt = [threading.Thread(target=os.pwrite, args=(o, data[at:at + 7000], at)) for at in range(0, len(data), 7000)]\n"
                   "for a in t: a.start()\nfor a in t: a.join()\nos.close(o)",
    "closed in a thread": "o = os.open(x, os.O_WRONLY | os.O_CREAT); os.write(o, data)\nt = threading.Thread(target=os.close, args=(o,)); t.start(); t.join()",
    "written by a child only": "o = os.open(x, os.O_WRONLY | os.O_CREAT); os.set_inheritable(o, True)\n"
                               "subprocess.run(['cat', os.environ['SRC']], stdout=o, check=True); os.close(o)",
    "the child closes last": "o = os.open(x, os.O_WRONLY | os.O_CREAT); r, w = os.pipe()\nif os.fork() == 0:\n    os.close(w); os.read(r, 1); os.write(o, data[half:]); os._exit(0)\n"
                             "os.write(o, data[:half]); os.close(o); os.close(w); os.wait()",
    "a grandchild closes last": "o = os.open(x, os.O_WRONLY | os.O_CREAT); r, w = os.pipe(); e, f = os.pipe()\nif os.fork() == 0:\n    if os.fork() == 0:\n"
                                "        os.close(w); os.close(e); os.read(r, 1); os.write(o, data[half:]); os.close(o); os._exit(0)\n    os._exit(0)\n"
                                "os.write(o, data[:half]); os.wait(); os.close(o); os.close(w); os.close(f); os.read(e, 1)",
    "four writers by fork": "o = os.open(x, os.O_WRONLY | os.O_CREAT); q = len(data) // 4 + 1\nfor n in range(4):\n    if os.fork() == 0:\n"
                            "        os.pwrite(o, data[n * q:(n + 1) * q], n * q); os.close(o); os._exit(0)\nfor n in range(4): os.wait()\nos.close(o)",
    "passed over a socket": "a, b = socket.socketpair(); o = os.open(x, os.O_WRONLY | os.O_CREAT)\nif os.fork() == 0:\n"
                            "    a.close(); _, fds, _, _ = socket.recv_fds(b, 1, 1); os.close(o); os.write(fds[0], data); os.close(fds[0]); os._exit(0)\n"
                            "socket.send_fds(a, [b'.'], [o]); os.close(o); os.wait()",
    "a thread's own table": "o = os.open(x, os.O_WRONLY | os.O_CREAT)\ndef work():\n    assert ctypes.CDLL(None).unshare(0x400) == 0\n    os.write(o, data); os.close(o)\n"
                            "t = threading.Thread(target=work); t.start(); t.join(); os.close(o)",
    "exit of a thread group": "o = os.open(x, os.O_WRONLY | os.O_CREAT); os.write(o, data)\nthreading.Thread(target=threading.Event().wait, daemon=True).start(); os._exit(0)",
    "exec closes it": "o = os.open(x, os.O_WRONLY | os.O_CREAT); os.write(o, data); os.execv('/bin/true', ['true'])",
    "nothing after the last close": "o = os.open(x, os.O_WRONLY | os.O_CREAT); os.write(o, data); os.close(o)\nopen(x, 'rb').read(); os.close(os.open(x, os.O_RDWR)); os.utime(x)",
    "renamed while open": "o = os.open('inputs/.y', os.O_WRONLY | os.O_CREAT); os.write(o, data[:half]); os.rename('inputs/.y', x); os.write(o, data[half:]); os.close(o)",
    "unlinked and made again": "o = os.open(x, os.O_WRONLY | os.O_CREAT); os.write(o, b'junk'); os.unlink(x)\n"
                               "n = os.open(x, os.O_WRONLY | os.O_CREAT); os.close(o); os.write(n, data); os.close(n)",
    "made, closed, written": "os.close(os.open(x, os.O_WRONLY | os.O_CREAT)); o = os.open(x, os.O_WRONLY); os.write(o, data); os.close(o)",
    "mknod": "os.mknod(x); o = os.open(x, os.O_WRONLY); os.write(o, data); os.close(o)",
    "a reader outlives the writer": "o = os.open(x, os.O_WRONLY | os.O_CREAT); r = os.open(x, os.O_RDONLY); os.write(o, data); os.close(o)\n"
                                    "assert os.pread(r, len(data), 0) == data; os.close(r)",
}


def environment(media, web, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    return {**os.environ, "SRC": str(media / "clip.mp4"), "MEDIA": str(media), "TMP": str(elsewhere), "WEB": web,
            "HOME": str(elsewhere)}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_program(backend, session, media, web, tmp_path, line):
    done = sh(line, cwd=session.path, env=environment(media, web, tmp_path))
    assert done.returncode == 0, done.stderr
    (name,) = os.listdir(session.inputs)
    uploaded_once(backend, session, name, (media / "clip.mp4").read_bytes())


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_calls(backend, session, media, web, tmp_path, script):
    done = run(["/usr/bin/python3", "-c", SCRIPT + script], cwd=session.path, env=environment(media, web, tmp_path))
    assert done.returncode == 0, done.stderr
    uploaded_once(backend, session, "x.mp4", (media / "clip.mp4").read_bytes())


# Over a file that the backend has already.
REPLACED = {
    "cp": "cp $SRC inputs/x.mp4",
    "cp -f": "cp -f $SRC inputs/x.mp4",
    "cp -p": "cp -p $SRC inputs/x.mp4",
    "cat": "cat $SRC > inputs/x.mp4",
    "cat, >|": "set -C; cat $SRC >| inputs/x.mp4",
    "tee": "tee inputs/x.mp4 < $SRC > /dev/null",
    "dd": "dd if=$SRC of=inputs/x.mp4 bs=64k status=none",
    "rsync": "rsync -I $SRC inputs/x.mp4",
    "rsync -a": "rsync -aI $SRC inputs/x.mp4",
    "rsync --inplace": "rsync -I --inplace $SRC inputs/x.mp4",
    "rsync, by differences": "rsync -I --no-whole-file $SRC inputs/x.mp4",
    "rsync --inplace, by differences": "rsync -I --inplace --no-whole-file $SRC inputs/x.mp4",
    "sftp": "echo put $SRC inputs/x.mp4 | sftp -q -b - -D /usr/lib/openssh/sftp-server",
    "curl": "curl -sSf $WEB/clip.mp4 -o inputs/x.mp4",
    "wget": "wget -q $WEB/clip.mp4 -O inputs/x.mp4",
    "ffmpeg": "ffmpeg -v error -y -i $SRC -c copy inputs/x.mp4 && cat inputs/x.mp4 > $TMP/made.mp4",
    "gio save": "gio save inputs/x.mp4 < $SRC",
    "gio copy": "gio copy $SRC inputs/x.mp4",
    "tar --overwrite": "cp $SRC $TMP/x.mp4 && tar -C $TMP -c x.mp4 | tar -C inputs -x --overwrite",
    "a rename over it": "cp $SRC inputs/x.mp4.part && mv -f inputs/x.mp4.part inputs/x.mp4",
    "python os.replace": "cp $SRC inputs/.new && " + PYTHON + " 'import os; os.replace(\"inputs/.new\", \"inputs/x.mp4\")'",
    "python shutil.copy2": PYTHON + " 'import os, shutil; shutil.copy2(os.environ[\"SRC\"], \"inputs/x.mp4\")'",
    "python r+b": PYTHON + """ '
import os
data = open(os.environ["SRC"], "rb").read()
with open("inputs/x.mp4", "r+b") as f:
    f.write(data); f.truncate()'""",
    "python mmap": PYTHON + """ '
import mmap, os
data = open(os.environ["SRC"], "rb").read()
f = os.open("inputs/x.mp4", os.O_RDWR); os.ftruncate(f, len(data))
with mmap.mmap(f, len(data)) as m: m[:] = data
os.close(f)'""",
}


@pytest.mark.parametrize("line", REPLACED.values(), ids=REPLACED.keys())
def test_replaced(backend, session, media, web, tmp_path, line):
    assert run(["cp", media / "clip.mov", session.inputs / "x.mp4"]).returncode == 0
    done = sh(line, cwd=session.path, env=environment(media, web, tmp_path))
    assert done.returncode == 0, done.stderr
    uploads_ended(session)
    made = tmp_path / "elsewhere/made.mp4"
    content = (made if made.exists() else media / "clip.mp4").read_bytes()
    assert (session.inputs / "x.mp4").read_bytes() == content
    assert [f["name"] for f in backend.files()] == ["x.mp4"] * 2
    assert backend.content(backend.files()[1]) == content
    assert os.listdir(session.inputs) == ["x.mp4"]


# These remove the old file first, which the backend cannot: refused with words, and the old one is whole.
NOT_REPLACED = {
    "mv from elsewhere": "cp $SRC /dev/shm/x.$$.mp4; mv /dev/shm/x.$$.mp4 inputs/x.mp4; r=$?; rm /dev/shm/x.$$.mp4; exit $r",
    "cp --remove-destination": "cp --remove-destination $SRC inputs/x.mp4",
    "cp --backup": "cp --backup $SRC inputs/x.mp4",
    "install": "install $SRC inputs/x.mp4",
    "tar x": "cp $SRC $TMP/x.mp4 && tar -C $TMP -c x.mp4 | tar -C inputs -x",
    "cp -n": "cp -n $SRC inputs/x.mp4; echo not copied >&2; exit 1",
    "dd conv=excl": "dd if=$SRC of=inputs/x.mp4 conv=excl status=none",
    "ln -sf": "ln -sf $WEB/clip.mp4 inputs/x.mp4",
    "ln -f": "ln -f $SRC inputs/x.mp4",
    "ln, inside": "ln inputs/x.mp4 inputs/y.mp4",
    "cp -l": "cp -l $SRC inputs/x.mp4",
    "sed -i": "sed -i s/a/b/ inputs/x.mp4",
    "perl -i": "perl -i -pe s/a/b/ inputs/x.mp4; exit 1",  # it says so, and exits with 0
    "rm": "rm inputs/x.mp4",
}


@pytest.mark.parametrize("line", NOT_REPLACED.values(), ids=NOT_REPLACED.keys())
def test_not_replaced(backend, session, media, web, tmp_path, line):
    assert run(["cp", media / "clip.mov", session.inputs / "x.mp4"]).returncode == 0
    done = sh(line, cwd=session.path, env=environment(media, web, tmp_path))
    assert done.returncode != 0 and done.stderr.strip()
    uploaded_once(backend, session, "x.mp4", (media / "clip.mov").read_bytes())
    assert os.listdir(session.inputs) == ["x.mp4"]
