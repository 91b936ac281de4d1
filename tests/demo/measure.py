#!/usr/bin/python3
"""Measures how far the sound of a video is from its picture, from the file itself, by timestamps.

    measure.py picture RESULT CLIP VOICEOVER   the mouth in the picture (material.py) is the reference
    measure.py sound RESULT CLIP VOICEOVER     the clip's own sound is the reference

Exit status: 0 within one frame (or, by sound, nothing to measure against), 1 otherwise. With
--any-length the result need not be as long as the clip.
"""
import argparse
import json
import subprocess
import sys
from fractions import Fraction

import numpy

from material import MOUTH

RATE = 16000
RANGE_S = 2.0     # how far apart sound and picture are looked for
SURE = 12.0       # a correlation peak this many times above the rest is no accident
FRAMES_ALLOWED = 1.0


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


class Video:
    def __init__(self, path):
        self.path = path
        probe = json.loads(run("ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format", path))
        streams = probe["streams"]
        self.video = next((s for s in streams if s["codec_type"] == "video"), None)
        self.audio = next((s for s in streams if s["codec_type"] == "audio"), None)
        self.duration = float((self.video or {}).get("duration") or probe["format"]["duration"])
        self.start = float((self.video or {}).get("start_time", 0))
        self.frame = float(1 / Fraction(self.video["avg_frame_rate"])) if self.video else 0

    def sound(self):
        """Samples at RATE; the first is heard when the picture begins."""
        shift = -self.start
        pcm = run("ffmpeg", "-v", "error", "-copyts", "-i", self.path, "-map", "0:a:0", "-af",
                  f"asetpts=PTS+({shift})/TB,aresample={RATE}:async=1:first_pts=0",
                  "-ac", "1", "-f", "s16le", "pipe:1")
        return numpy.frombuffer(pcm, "<i2").astype(float) / 32768

    def mouth(self):
        """When each frame is first seen (s, the first at 0), and how bright the mouth is in it."""
        x, y, width, height = MOUTH
        text = run("ffmpeg", "-v", "error", "-copyts", "-i", self.path, "-map", "0:v:0", "-vf",
                   f"crop={width}:{height}:{x}:{y},signalstats,"
                   "metadata=mode=print:key=lavfi.signalstats.YAVG:file=-",
                   "-f", "null", "-").decode()
        times, levels = [], []
        for line in text.splitlines():
            if line.startswith("frame:"):
                times.append(float(line.rsplit("pts_time:", 1)[1]) - self.start)
            else:
                levels.append(float(line.split("=")[1]))
        return numpy.array(times), numpy.array(levels)


def top(values, at):
    """Where between the samples the peak at index `at` is."""
    if not 0 < at < len(values) - 1:
        return float(at)
    left, middle, right = values[at - 1:at + 2]
    bend = left - 2 * middle + right
    return at + (0.5 * (left - right) / bend if bend else 0)


def sound_after_picture(result):
    """(s by which the sound is late, likeness 0-1): the loudness of the sound, taken over each frame's
    time, against the mouth."""
    times, mouth = result.mouth()
    step = 1 / 1000
    power = numpy.concatenate([[0], numpy.cumsum(result.sound() ** 2)])
    edges = numpy.append(times, times[-1] + result.frame)
    lags = numpy.arange(-RANGE_S, RANGE_S + step / 2, step)
    likeness = numpy.empty(len(lags))
    for i, lag in enumerate(lags):
        at = numpy.clip((edges + lag) * RATE, 0, len(power) - 1)
        total = numpy.diff(numpy.interp(at, numpy.arange(len(power)), power))
        loud = numpy.sqrt(numpy.maximum(total, 0) / (result.frame * RATE))
        likeness[i] = numpy.corrcoef(loud, mouth)[0, 1] if loud.any() else 0
    best = int(likeness.argmax())
    return lags[0] + top(likeness, best) * step, likeness[best]


def delay(sound, reference):
    """(s by which `sound` is behind `reference`, how sure): phase transform of the cross-correlation."""
    size = 1 << (len(sound) + len(reference)).bit_length()
    cross = numpy.fft.rfft(sound, size) * numpy.conj(numpy.fft.rfft(reference, size))
    frequency = numpy.fft.rfftfreq(size, 1 / RATE)
    cross[(frequency < 150) | (frequency > 4000)] = 0
    strength = numpy.abs(cross)
    cross /= numpy.maximum(strength, 1e-9 * strength.max() + 1e-30)
    curve = numpy.roll(numpy.fft.irfft(cross, size), size // 2)
    reach = int(RANGE_S * RATE)
    near = curve[size // 2 - reach:size // 2 + reach + 1]
    best = int(near.argmax())
    return (top(near, best) - reach) / RATE, near[best] / max(near.std(), 1e-12)


def same_sound(result, voiceover):
    """How much of the result's sound is the voiceover, wherever it lies: 0-1."""
    a, b = result - result.mean(), voiceover - voiceover.mean()
    size = 1 << (len(a) + len(b)).bit_length()
    curve = numpy.fft.irfft(numpy.fft.rfft(a, size) * numpy.conj(numpy.fft.rfft(b, size)), size)
    energy = numpy.sqrt((a ** 2).sum() * (b ** 2).sum())
    return float(curve.max() / energy) if energy else 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("reference", choices=["picture", "sound"])
    for name in ("result", "clip", "voiceover"):
        parser.add_argument(name)
    parser.add_argument("--any-length", action="store_true")
    options = parser.parse_args()
    result, clip, voiceover = Video(options.result), Video(options.clip), Video(options.voiceover)
    failures = []

    codecs = [(s or {}).get("codec_name", "none") for s in (result.video, result.audio)]
    print(f"{options.result}: {' + '.join(codecs)}, {result.duration:.3f} s (the clip: {clip.duration:.3f} s)")
    if codecs != ["h264", "aac"]:
        raise SystemExit("expected h264 + aac")
    if not options.any_length and abs(result.duration - clip.duration) > result.frame / 2:
        failures.append("the duration is more than half a frame from the clip's")

    likeness = same_sound(result.sound(), voiceover.sound())
    print(f"its sound is the voiceover's: likeness {likeness:.2f}")
    if options.reference == "picture":
        if likeness < 0.5:
            failures.append("the sound is not the voiceover's")
        late, likeness = sound_after_picture(result)
        print(f"its sound follows the picture: likeness {likeness:.2f}")
        if likeness < 0.8:
            failures.append("the sound does not follow the picture")
    elif clip.audio is None:
        late = None
        print("sync: not measured, for the clip has no sound to compare with")
    else:
        late, sure = delay(result.sound(), clip.sound())
        if sure < SURE:
            late = None
            print(f"sync: not measured, for the new sound and the clip's own have too little in common "
                  f"({sure:.1f} of {SURE:.0f})")
    if late is not None:
        print(f"sync: the new sound is {late * 1000:+.1f} ms ({late / result.frame:+.2f} frames) "
              f"from the picture's")
        if abs(late) > FRAMES_ALLOWED * result.frame:
            failures.append("sound and picture are more than one frame apart")

    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
