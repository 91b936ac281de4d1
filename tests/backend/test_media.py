"""The media work, measured in what comes out: sync through odd timestamps, lengths, levels, titles."""

import itertools
import json
import shutil
import subprocess

import numpy
import pytest

import local

RATE = 48000
SPEECH = (
    "Good morning everyone, and welcome to the second part of our little tour through the harbour. "
    "The weather is fine today."
)
PRECISION_S = 0.010

for program in ("ffmpeg", "ffprobe", "espeak-ng"):
    if not shutil.which(program):
        pytest.skip(program + " is missing", allow_module_level=True)


def run(*command, **how):
    return subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, **how).stdout


def ffmpeg(*arguments, **how):
    return run("ffmpeg", "-nostdin", "-v", "error", "-y", *arguments, **how)


def probe(path):
    entries = "stream=codec_type,codec_name,start_time,duration,width,height,nb_frames:format=duration"
    found = json.loads(run("ffprobe", "-v", "error", "-show_entries", entries, "-of", "json", path))
    found["video"] = next(s for s in found["streams"] if s["codec_type"] == "video")
    found["audio"] = next((s for s in found["streams"] if s["codec_type"] == "audio"), None)
    return found


def picture_start(path):
    """When the first frame is shown (s)."""
    frames = run("ffprobe", "-v", "error", "-select_streams", "v:0", "-read_intervals", "%+#1",
                 "-show_entries", "frame=best_effort_timestamp_time", "-of", "csv=p=0", path)
    return float(frames.split()[0].strip(b","))


def sound(path):
    """Samples, the first of them heard with the first frame of the picture."""
    shift = "asetpts=PTS-(%f)/TB,aresample=%d:async=1:first_pts=0" % (picture_start(path), RATE)
    raw = ffmpeg("-copyts", "-i", path, "-map", "0:a:0", "-af", shift, "-ac", "1", "-f", "f32le", "-")
    return numpy.frombuffer(raw, "<f4")


def place(haystack, needle):
    """Where the needle is (s), by plain correlation of clean signals."""
    size = 1 << (len(haystack) + len(needle)).bit_length()
    both = numpy.fft.irfft(
        numpy.fft.rfft(haystack, size) * numpy.conj(numpy.fft.rfft(needle, size)), size
    )
    at = int(numpy.argmax(numpy.abs(both)))
    return (at if at < size - len(needle) else at - size) / RATE


@pytest.fixture(scope="module")
def said():
    """The words as samples, with silence around them."""
    wav = run("espeak-ng", "-v", "en-us", "--stdout", SPEECH)
    raw = run("ffmpeg", "-v", "error", "-i", "pipe:0", "-f", "f32le", "-ac", "1", "-ar", RATE, "-", input=wav)
    return 0.5 * numpy.frombuffer(raw, "<f4")


def write_wav(path, samples):
    run("ffmpeg", "-v", "error", "-y", "-f", "f32le", "-ar", RATE, "-ac", "1", "-i", "pipe:0", path,
        input=samples.astype("<f4").tobytes())
    return path


def camera(path, said, at_s, length_s, seed=1, *, late_s=0.0, codecs=(), fps=25, size="320x240"):
    """A clip whose sound has the words at_s after the first frame; the file's sound begins late_s after it."""
    rng = numpy.random.default_rng(seed)
    heard = numpy.zeros(int((length_s + 1) * RATE))
    begin = int(round(at_s * RATE))
    heard[max(begin, 0) : begin + len(said)] = said[max(-begin, 0) : len(heard) - begin]
    heard += 0.01 * rng.standard_normal(len(heard))
    skip = int(round(max(late_s, 0) * RATE))
    early = int(round(max(-late_s, 0) * RATE))
    heard = numpy.concatenate([numpy.zeros(early), heard[skip:]])[: int((length_s - late_s) * RATE)]
    wav = write_wav(path.with_suffix(".camera.wav"), 0.3 * heard)
    ffmpeg("-itsoffset", max(-late_s, 0), "-f", "lavfi", "-i",
           "testsrc2=size=%s:rate=%s:duration=%s" % (size, fps, length_s),
           "-itsoffset", max(late_s, 0), "-i", wav, "-map", "0:v", "-map", "1:a", "-fps_mode", "passthrough",
           *(codecs or ("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "50", "-pix_fmt",
                        "yuv420p", "-c:a", "aac")), path)
    return path


@pytest.fixture
def synced(server, tmp_path, said):
    """Uploads, syncs, renders; gives the result's path."""

    def go(clip, voice, *messages):
        server.upload_file(voice)
        server.upload_file(clip)
        for text in messages or ("sync the voiceover to the clip",):
            said_back = server.say(text)
            assert "nothing was changed" not in said_back.lower(), said_back
        name = "render_%d" % next(numbers)
        return server.render(tmp_path / (name + ".mp4"), name)

    numbers = itertools.count(1)
    return go


def check(out, clip, said, at_s, length_s=None, fps=25):
    found = probe(out)
    length_s = length_s or float(probe(clip)["format"]["duration"])
    half = 0.5 / fps
    assert abs(float(found["format"]["duration"]) - length_s) <= half + 0.001
    assert abs(picture_start(out)) < 0.001
    heard = sound(out)
    assert abs(len(heard) / RATE - length_s) <= half + 0.004
    assert abs(place(heard, said) - at_s) < PRECISION_S
    return found


@pytest.mark.parametrize("at_s", [0, 1.234, -0.9])
@pytest.mark.parametrize("late_s", [0, 0.4, -0.36])
def test_sync_honours_timestamps(tmp_path, said, synced, at_s, late_s):
    clip = camera(tmp_path / "clip.mp4", said, at_s, 10, late_s=late_s)
    voice = write_wav(tmp_path / "voice.wav", said)
    check(synced(clip, voice), clip, said, at_s, 10)


CONTAINERS = {
    "mov": (),
    "mkv": (),
    "avi": ("-c:v", "mpeg4", "-q:v", "5", "-c:a", "pcm_s16le"),
    "webm": ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-c:a", "libopus"),
}


@pytest.mark.parametrize(
    "container,late_s",
    # AVI has no timestamps: nothing is late there
    [("avi", 0)] + [(name, late_s) for name in ("mov", "mkv", "webm") for late_s in (0, 0.3)],
)
def test_containers(tmp_path, said, synced, container, late_s):
    clip = camera(tmp_path / ("clip." + container), said, 0.75, 9, late_s=late_s,
                  codecs=CONTAINERS[container])
    voice = write_wav(tmp_path / "voice.wav", said)
    check(synced(clip, voice), clip, said, 0.75, 9)


@pytest.mark.parametrize("name", ["voice.mp3", "voice.m4a", "voice.aac"])
def test_voices(tmp_path, said, synced, name):
    clip = camera(tmp_path / "clip.mp4", said, 1.5, 10)
    wav = write_wav(tmp_path / "plain.wav", numpy.concatenate([numpy.zeros(RATE // 2), said]))
    ffmpeg("-i", wav, tmp_path / name)
    check(synced(clip, tmp_path / name), clip, said, 1.5)


def test_a_clip_cut_within_a_group_of_pictures(tmp_path, said, synced):
    """An edit list that begins off a key frame: there are frames that must not be shown."""
    whole = camera(tmp_path / "whole.mp4", said, 2.2, 11)
    clip = tmp_path / "clip.mp4"
    ffmpeg("-ss", "1.32", "-i", whole, "-c", "copy", clip)
    shown = float(probe(clip)["video"]["duration"])
    start = 2.2 - (place_of_picture(whole, clip))
    voice = write_wav(tmp_path / "voice.wav", said)
    out = synced(clip, voice)
    assert abs(place(sound(out), said) - start) < PRECISION_S
    assert abs(float(probe(out)["video"]["duration"]) - shown) < 0.06


def place_of_picture(whole, clip):
    """Which moment of the whole the clip's first shown frame is."""
    def frames(path, *before):
        raw = ffmpeg(*before, "-i", path, "-vf", "scale=64:48,format=gray", "-fps_mode", "passthrough",
                     "-f", "rawvideo", "-")
        return numpy.frombuffer(raw, "u1").reshape(-1, 48, 64).astype(float)

    first = frames(clip)[0]
    return float(numpy.argmin(numpy.abs(frames(whole) - first).mean(axis=(1, 2)))) / 25


def test_the_picture_is_copied_where_it_can_be(tmp_path, said, synced):
    clip = camera(tmp_path / "clip.mp4", said, 1, 8)
    voice = write_wav(tmp_path / "voice.wav", said)
    out = synced(clip, voice)
    packets = ("-map", "0:v", "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264", "-")
    assert ffmpeg("-i", clip, *packets) == ffmpeg("-i", out, *packets)


@pytest.mark.parametrize("length_s,copied", [(4, True), (5.01, False), (0.5, False)])
def test_trim(tmp_path, said, synced, length_s, copied):
    clip = camera(tmp_path / "clip.mp4", said, 0.2, 8)
    voice = write_wav(tmp_path / "voice.wav", said)
    out = synced(clip, voice, "sync the voice", "trim to %s s" % length_s)
    found = probe(out)
    assert abs(float(found["format"]["duration"]) - length_s) <= 0.021
    assert abs(float(found["video"]["duration"]) - length_s) <= 0.021
    if length_s > 2:
        assert abs(place(sound(out), said[: int((length_s - 0.2) * RATE)]) - 0.2) < PRECISION_S
    packets = ("-map", "0:v", "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264", "-")
    assert ffmpeg("-i", clip, *packets).startswith(ffmpeg("-i", out, *packets)) == copied


@pytest.mark.parametrize("fps,rate", [("30000/1001", 30000 / 1001), ("24", 24), ("60", 60)])
def test_other_rates_and_odd_sizes(tmp_path, said, synced, fps, rate):
    clip = camera(tmp_path / "clip.mkv", said, 0.5, 8, fps=fps, size="322x241",
                  codecs=("-c:v", "mpeg4", "-q:v", "4", "-c:a", "aac"))
    voice = write_wav(tmp_path / "voice.wav", said)
    out = synced(clip, voice)
    check(out, clip, said, 0.5, round(8 * rate) / rate, rate)
    assert (probe(out)["video"]["width"], probe(out)["video"]["height"]) == (322, 240)


def test_title_is_in_the_picture_for_its_time(tmp_path, said, synced):
    clip = camera(tmp_path / "clip.mp4", said, 0.5, 8)
    voice = write_wav(tmp_path / "voice.wav", said)
    out = synced(clip, voice, "sync the voice and add the title \"It's [here], 100%: \\\\ %{n}\"")

    def strip(path, at_s):
        raw = ffmpeg("-ss", at_s, "-i", path, "-frames:v", "1", "-vf", "crop=320:30:0:190,format=gray",
                     "-f", "rawvideo", "-")
        return numpy.frombuffer(raw, "u1").astype(float)

    assert numpy.abs(strip(out, 2) - strip(clip, 2)).mean() > 10
    assert numpy.abs(strip(out, 7) - strip(clip, 7)).mean() < 5
    check(out, clip, said, 0.5)


def test_volume(tmp_path, said, synced):
    clip = camera(tmp_path / "clip.mp4", said, 0.5, 8)
    voice = write_wav(tmp_path / "voice.wav", said)
    loud = numpy.abs(sound(synced(clip, voice))).max()
    quiet = numpy.abs(sound(synced(clip, voice, "sync the voice, voice at 25%"))).max()
    assert 0.2 < quiet / loud < 0.3


def test_files_named_in_the_message_are_preferred(server, tmp_path, said):
    clip = camera(tmp_path / "clip.mp4", said, 0.5, 6)
    for name in ("first.mp4", "second.mp4"):
        server.upload(name, clip.read_bytes())
    voice = write_wav(tmp_path / "voice.wav", said).read_bytes()
    for name in ("one.wav", "two.wav"):
        server.upload(name, voice)

    def names():
        return [track["sg"][0]["name"] for track in server.draft["t"]]

    server.say("sync")
    assert names() == ["second.mp4", "two.wav"]
    server.say("sync One.wav to first.mp4")
    assert names() == ["first.mp4", "one.wav"]


def test_unrelated_sound_is_laid_at_nothing_and_said_so(server, tmp_path, said):
    clip = camera(tmp_path / "clip.mp4", said, 0.5, 8)
    rng = numpy.random.default_rng(7)
    voice = write_wav(tmp_path / "voice.wav", 0.1 * rng.standard_normal(4 * RATE))
    server.upload_file(clip)
    server.upload_file(voice)
    assert "does not match" in server.say("sync")
    assert server.draft["t"][1]["sg"][0]["start"] == 0


def test_a_clip_without_sound(server, tmp_path, said):
    clip = camera(tmp_path / "whole.mp4", said, 0.5, 8)
    silent = tmp_path / "clip.mp4"
    ffmpeg("-i", clip, "-map", "0:v", "-c", "copy", silent)
    server.upload_file(silent)
    server.upload_file(write_wav(tmp_path / "voice.wav", said))
    assert "no usable sound" in server.say("sync")
    out = server.render(tmp_path / "out.mp4")
    check(out, silent, said, 0)


def test_what_cannot_be_read_is_said_and_free(server, tmp_path, said):
    server.upload("clip.mp4", b"\0" * 100000)
    server.upload_file(write_wav(tmp_path / "voice.wav", said))
    assert "nothing was changed" in server.say("sync").lower()
    assert server.credits["available"] == 100


def test_upload_tells_what_the_file_is(server, tmp_path, said):
    clip = camera(tmp_path / "clip.mp4", said, 0, 6, fps="30000/1001")
    told = server.upload_file(clip)
    assert (told["width"], told["height"]) == (320, 240)
    assert abs(told["fps"] - 30000 / 1001) < 0.01
    assert abs(told["duration"] - float(probe(clip)["format"]["duration"])) < 0.001


def test_undo_credits_and_the_draft(server, tmp_path, said):
    server.upload_file(camera(tmp_path / "clip.mp4", said, 0.5, 6))
    server.upload_file(write_wav(tmp_path / "voice.wav", said))
    before = server.draft_text()
    server.say("sync")
    synced = server.draft_text()
    assert [t["tt"] for t in json.loads(synced)["t"]] == [0, 1]
    assert server.credits["available"] == 95
    server.say("add the title \"x\"")
    assert [t["tt"] for t in server.draft["t"]] == [0, 1, 7]
    server.say("undo")
    assert server.draft_text() == synced
    server.say("撤销")
    assert server.draft_text() == before
    assert "no change" in server.say("undo")
    assert server.credits["available"] == 80


def test_drafts_must_come_back_as_they_were(server, tmp_path, said):
    server.upload_file(camera(tmp_path / "clip.mp4", said, 0.5, 3))
    server.upload_file(write_wav(tmp_path / "voice.wav", said))
    server.say("sync")
    draft = server.draft_text()
    server.submit("render_same")
    server.submit("render_other", json.dumps(json.loads(draft)))
    equal = {j["id"]: j["draft_equal"] for j in server.call("GET", "/_local/renders").json}
    assert equal == {"render_same": True, "render_other": False}
    assert server.submit("render_same").json["success"], "the same id gives the same job"
    assert len(server.call("GET", "/_local/renders").json) == 2


@pytest.mark.parametrize("shape", ["top", "data", "flat", "none"])
def test_render_shapes(start, tmp_path, said, shape):
    server = start("--render-shape", shape, "--download", "redirect")
    server.open_session()
    server.upload_file(camera(tmp_path / "clip.mp4", said, 0.5, 2))
    server.say("title \"x\"")
    server.submit("render_1")
    job = server.wait_render("render_1")
    answer = server.poll("render_1").json
    assert answer["success"] and ("data" in answer) == (shape != "top")
    url = {
        "top": lambda: answer["output"]["url"],
        "data": lambda: job["output"]["url"],
        "flat": lambda: job["outputUrl"],
        "none": lambda: server.call("GET", "/api/render/proxy/render_1/download").headers["Location"],
    }[shape]()
    assert server.call("GET", url[len(server.url) :], token=False).body[4:8] == b"ftyp"


def test_faults_of_edits_and_renders(server, tmp_path, said):
    server.upload_file(camera(tmp_path / "clip.mp4", said, 0.5, 2))
    before = server.draft_text()
    server.faults({"endpoint": "message", "call": 1, "silent": True, "lag_reads": 2})
    assert server.say("title \"x\"") == ""
    assert [server.draft_text() == before for _ in range(3)] == [True, True, False]
    before = server.draft_text()
    server.faults({"endpoint": "message", "edit": False})
    assert "y" in server.say("title \"y\"") and server.draft_text() == before
    server.faults({"endpoint": "message", "events": "data: {\"error\":\"x\"}\n\n", "edit": True})
    server.message("title \"z\"")
    local.wait_for(lambda: server.draft_text() != before)
    server.faults(
        {"endpoint": "render", "call": 1, "render": "fail"},
        {"endpoint": "render", "call": 2, "output_url": "https://elsewhere.example/x.mp4"},
        {"endpoint": "render", "call": 3, "render_ms": 3600000},
    )
    for name in ("render_1", "render_2", "render_3"):
        server.submit(name)
    assert server.wait_render("render_1")["status"] == "failed"
    assert server.wait_render("render_2")["output"]["url"] == "https://elsewhere.example/x.mp4"
    assert server.poll("render_3").json["data"]["status"] in ("pending", "processing")
    server.no_faults()
    assert server.wait_render("render_3")["status"] == "completed"


def test_renders_go_on_after_a_restart(start, tmp_path, said):
    server = start("--state-dir", tmp_path / "state")
    server.open_session()
    server.upload_file(camera(tmp_path / "clip.mp4", said, 0.5, 2))
    server.say("title \"x\"")
    server.faults({"endpoint": "render", "render_ms": 3600000})
    server.submit("render_1")
    server.stop()
    again = start("--state-dir", tmp_path / "state", token=False)
    again.token, again.session = server.token, server.session
    assert again.wait_render("render_1")["status"] == "completed"


def test_formats_that_read_other_files_are_not_opened(server, tmp_path, said):
    camera(tmp_path / "secret.mp4", said, 0, 2)
    list_file = "ffconcat version 1.0\nfile %s\n" % (tmp_path / "secret.mp4")
    told = server.upload("clip.mp4", list_file.encode()).data["files"][0]
    assert "duration" not in told
