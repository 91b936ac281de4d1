"""output.mp4: there only when it is complete and current."""
import errno
import json
import mmap
import os
import subprocess
import threading

import pytest

from harness import run, sh, wait_for


@pytest.fixture
def edited(session, media):
    for name in ("clip.mp4", "voice.wav"):
        assert run(["cp", media / name, session.inputs]).returncode == 0
    session.say("sync this voiceover to the speaker")
    return session


@pytest.fixture
def ready(edited):
    assert "output.mp4 is ready" in edited.reply()
    return edited


def probe(path):
    done = run(["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format", path])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_a_video(ready, media):
    found = probe(ready.output)
    assert sorted(s["codec_name"] for s in found["streams"]) == ["aac", "h264"]
    video = next(s for s in found["streams"] if s["codec_type"] == "video")
    wanted = next(s for s in probe(media / "clip.mp4")["streams"] if s["codec_type"] == "video")
    assert abs(float(video["duration"]) - float(wanted["duration"])) <= 0.02
    assert os.stat(ready.output).st_size == int(found["format"]["size"])
    assert oct(os.stat(ready.output).st_mode) == oct(0o100400)


def test_reply_tells_length_and_size(ready):
    size = os.stat(ready.output).st_size
    assert f"output.mp4 is ready (0:05, " in ready.reply()
    assert size > 0


def test_it_is_the_backends_file(backend, ready):
    assert backend.rendered(ready) == ready.output.read_bytes()


def test_it_appears_complete(edited):
    """Whoever sees the name can read it to its end."""
    wait_for("the output", edited.output.exists, timeout=60)
    size = os.stat(edited.output).st_size
    assert len(edited.output.read_bytes()) == size
    assert probe(edited.output)


def test_copies(ready, tmp_path):
    whole = ready.output.read_bytes()
    for line in ("cp output.mp4 $T/1", "cp -a output.mp4 $T/2", "cat output.mp4 > $T/3", "rsync -a output.mp4 $T/4",
                 "dd if=output.mp4 of=$T/5 bs=1M status=none", "install -m 644 output.mp4 $T/6",
                 "gio copy output.mp4 $T/7", "tar -cf - output.mp4 | tar -xOf - > $T/8",
                 "ffmpeg -v error -i output.mp4 -c copy -f mp4 $T/9"):
        done = sh(line, cwd=ready.path, env={**os.environ, "T": str(tmp_path)})
        assert done.returncode == 0, f"{line}: {done.stderr}"
    for number in range(1, 9):
        assert (tmp_path / str(number)).read_bytes() == whole


def test_seeks_and_mmap(ready):
    whole = ready.output.read_bytes()
    with open(ready.output, "rb") as file:
        file.seek(-100, os.SEEK_END)
        assert file.read() == whole[-100:]
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            assert mapped[1000:2000] == whole[1000:2000]
    assert os.stat(ready.output).st_blocks == (len(whole) + 511) // 512
    assert run(["ffmpeg", "-v", "error", "-ss", "3", "-i", ready.output, "-frames:v", "1", "-f", "null", "-"]).returncode == 0


def test_it_goes_when_the_draft_changes(ready):
    with open(ready.output, "rb") as old:
        head = old.read(1000)
        size = os.fstat(old.fileno()).st_size
        ready.say("trim to 2 s")
        wait_for("the old one to go", lambda: not ready.output.exists() or os.stat(ready.output).st_size != size)
        assert len(head + old.read()) == size
    assert "output.mp4 is ready (0:02" in ready.reply()
    video = next(s for s in probe(ready.output)["streams"] if s["codec_type"] == "video")
    assert abs(float(video["duration"]) - 2) <= 0.04


def test_it_stays_when_nothing_changes(ready):
    number = os.stat(ready.output).st_ino
    ready.say("compose a symphony")
    ready.reply()
    assert os.stat(ready.output).st_ino == number
    ready.say("credits")
    assert "available" in ready.reply() or "credits" in ready.reply()
    assert os.stat(ready.output).st_ino == number


def test_rm_and_export_again(backend, ready):
    before = ready.output.read_bytes()
    os.unlink(ready.output)
    assert not ready.output.exists()
    ready.say("export")
    assert "output.mp4 is ready" in ready.reply()
    assert abs(len(ready.output.read_bytes()) - len(before)) < 4096
    assert len(backend.messages()) == 1


def test_mv_away(ready, tmp_path):
    whole = ready.output.read_bytes()
    assert run(["mv", ready.output, tmp_path / "mine.mp4"]).returncode == 0
    assert (tmp_path / "mine.mp4").read_bytes() == whole
    assert not ready.output.exists()


def test_export_while_current_renders_nothing(backend, ready):
    before = len(backend.requests("render"))
    ready.say("Please export the video.")
    assert "output.mp4 is ready" in ready.reply()
    assert len(backend.requests("render")) == before
    assert "output.mp4 is ready" in ready.history().split("instruct: Please export the video.")[1]


def test_nothing_to_export(backend, session):
    session.wait_status("idle")
    session.say("export")
    assert session.reply().strip()
    assert not session.output.exists()
    assert backend.requests("render") == []


@pytest.mark.mount(render="manual")
def test_manual(backend, edited):
    assert "export" in edited.reply()
    assert backend.requests("render") == [] and not edited.output.exists()
    edited.say("导出视频")
    assert "output.mp4 is ready" in edited.reply()
    assert edited.output.exists()


def test_it_is_read_only(ready):
    with pytest.raises(OSError) as error:
        os.open(ready.output, os.O_WRONLY)
    assert error.value.errno in (errno.EACCES, errno.EPERM)
    with pytest.raises(OSError):
        os.truncate(ready.output, 0)


@pytest.mark.parametrize("shape", [pytest.param(shape, marks=pytest.mark.backend("--render-shape", shape, "--events", "typed"))
                                   for shape in ("top", "data", "flat", "none")])
def test_every_shape_of_a_render(ready, shape):
    assert probe(ready.output)


@pytest.mark.backend("--render-shape", "none", "--download", "redirect")
def test_redirected_download(ready):
    assert probe(ready.output)


def test_failed_render_is_tried_once_more(backend, edited):
    assert "output.mp4 is ready" in edited.reply()
    assert len(backend.requests("render")) == 1
    backend.fault("render", status=500, times=1)
    edited.say("trim to 2 s")
    assert "output.mp4 is ready" in edited.reply()


def test_402_is_eperm_of_export(backend, ready):
    os.unlink(ready.output)
    backend.fault("render", status=402)
    fd = os.open(ready.instruct, os.O_WRONLY)
    os.write(fd, b"export\n")
    with pytest.raises(OSError) as error:
        os.close(fd)
    assert error.value.errno == errno.EPERM
    assert "register?bind=" in ready.status()["hint"]


def test_a_cut_download_is_resumed(backend, edited, media):
    edited.reply()
    backend.fault("media", cut_after=20_000, times=1)
    edited.say("trim to 4 s")
    assert "output.mp4 is ready" in edited.reply()
    assert backend.rendered(edited) == edited.output.read_bytes()


def test_many_readers_while_it_changes(ready):
    """Each open file is one version, whole."""
    versions, failures, stop = set(), [], threading.Event()

    def reader():
        while not stop.is_set():
            try:
                with open(ready.output, "rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    content = file.read()
                    if len(content) != size:
                        failures.append((len(content), size))
                    versions.add(hash(content))
            except FileNotFoundError:
                pass
    threads = [threading.Thread(target=reader) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for seconds in (4, 3, 2):
            ready.say(f"trim to {seconds} s")
            assert "output.mp4 is ready" in ready.reply()
            versions.add(hash(ready.output.read_bytes()))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(versions) == 4


def test_ffplay_style_probing(ready):
    """What players do first."""
    for arguments in (["-show_packets"], ["-show_frames", "-read_intervals", "1%+1"]):
        assert subprocess.run(["ffprobe", "-v", "error", *arguments, ready.output], stdout=subprocess.DEVNULL,
                              check=True).returncode == 0
