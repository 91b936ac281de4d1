#!/usr/bin/python3
"""Makes something to sync: a clip filmed with a bad microphone, and a clean recording of the same words.

    material.py DIRECTORY [SEED]      writes clip.mp4 and voiceover.wav

The two recorders were not started together; by how much is drawn from the seed, and is in neither file.
In the picture a mouth opens as the words are spoken, so that the moment of every word can be measured
from the picture alone.
"""
import random
import subprocess
import sys
import wave
from pathlib import Path

import numpy

WORDS = ("the lips that you see and the voice that you hear should open and close "
         "at the very same moment").split()
RATE = 48000
FPS = 30
BEFORE_S = 2  # of silence, in which both recorders are started
WIDTH, HEIGHT = 640, 360
MOUTH = (240, 230, 160, 80)  # x, y, width, height; measure.py looks here
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **options).stdout


def spoken(word, voice):
    """One word as samples, without the silence around it."""
    wav = run("espeak-ng", "-v", voice, "-s", "150", "--stdout", word)
    pcm = run("ffmpeg", "-v", "error", "-i", "pipe:0", "-f", "f32le", "-ac", "1", "-ar", str(RATE),
              "pipe:1", input=wav)
    samples = numpy.frombuffer(pcm, "<f4")
    loud = numpy.flatnonzero(numpy.abs(samples) > 0.01)
    return samples[loud[0]:loud[-1] + 1]


def studio(rng):
    """What was said: the samples, and where each word begins and ends (s)."""
    parts, marks, at = [numpy.zeros(BEFORE_S * RATE)], [], BEFORE_S * RATE
    for word in WORDS:
        samples = spoken(word, "en-us")
        marks.append((word, at / RATE, (at + len(samples)) / RATE))
        pause = numpy.zeros(int(RATE * rng.uniform(0.08, 0.3)))
        parts += [samples, pause]
        at += len(samples) + len(pause)
    parts.append(numpy.zeros(RATE))
    return numpy.concatenate(parts), marks


def through_a_bad_microphone(samples, rng):
    """A room's echo, a narrow band, hum, noise."""
    time = numpy.arange(int(0.35 * RATE)) / RATE
    room = 0.03 * rng.standard_normal(len(time)) * numpy.exp(-time / 0.09)
    room[0] = 1
    size = 1 << (len(samples) + len(room)).bit_length()
    spectrum = numpy.fft.rfft(samples, size) * numpy.fft.rfft(room, size)
    frequency = numpy.fft.rfftfreq(size, 1 / RATE)
    spectrum[(frequency < 250) | (frequency > 3600)] *= 0.05
    heard = numpy.fft.irfft(spectrum, size)[:len(samples)]
    heard *= 0.25 / numpy.abs(heard).max()
    hum = numpy.sin(2 * numpy.pi * 50 * numpy.arange(len(heard)) / RATE)
    return heard + 0.02 * hum + 0.015 * rng.standard_normal(len(heard))


def picture(samples, frames):
    """Gray frames: a face whose mouth opens as far as the voice is loud while the frame is seen."""
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    face = (40 + 30 * y / HEIGHT).astype(numpy.uint8)
    face[((x - 320) / 130.0) ** 2 + ((y - 190) / 165.0) ** 2 < 1] = 120
    for eye in (270, 370):
        face[((x - eye) / 22.0) ** 2 + ((y - 130) / 14.0) ** 2 < 1] = 30
    left, top, width, height = MOUTH
    across = ((x - left - width / 2) / (width / 2.0)) ** 2
    down = numpy.abs(y - top - height / 2) / (height / 2.0)
    edges = numpy.arange(frames + 1) * RATE // FPS
    level = numpy.array([numpy.sqrt(numpy.mean(samples[a:b] ** 2))
                         for a, b in zip(edges, edges[1:])])
    level /= level.max()
    for opening in level:
        frame = face.copy()
        frame[across + (down / max(opening, 0.02)) ** 2 < 1] = 230
        yield frame.tobytes()


def write_wav(path, samples):
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())


def make(directory, seed):
    rng = random.Random(seed)
    said, marks = studio(rng)
    said = 0.8 * said / numpy.abs(said).max()

    camera_on = recorder_on = rng.uniform(0.1, 0.3)
    if rng.random() < 0.5:
        camera_on += rng.uniform(0.3, 1.2)
    else:
        recorder_on += rng.uniform(0.3, 1.2)
    filmed = said[int(camera_on * RATE):]
    frames = len(filmed) * FPS // RATE
    filmed = filmed[:frames * RATE // FPS]
    write_wav(directory / "camera.wav",
              through_a_bad_microphone(filmed, numpy.random.default_rng(seed)))
    write_wav(directory / "voiceover.wav", said[int(recorder_on * RATE):-RATE // 2])

    captions = ",".join(
        f"drawtext=fontfile={FONT}:text={word}:fontcolor=white:fontsize=28:x=20:y=20"
        f":enable='between(t,{start - camera_on:.3f},{end - camera_on:.3f})'"
        for word, start, end in marks)
    encoder = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-y",
         "-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "pipe:0",
         "-i", directory / "camera.wav", "-vf", captions,
         "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "96k",
         "-movflags", "+faststart", directory / "clip.mp4"], stdin=subprocess.PIPE)
    for frame in picture(filmed, frames):
        encoder.stdin.write(frame)
    encoder.stdin.close()
    if encoder.wait() != 0:
        raise SystemExit("ffmpeg could not make the clip")
    (directory / "camera.wav").unlink()
    print(f"{len(WORDS)} words in {frames / FPS:.2f} s. The camera was started {abs(camera_on - recorder_on):.3f} s "
          f"{'after' if camera_on > recorder_on else 'before'} the recorder (seed {seed}).")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    make(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else random.randrange(1 << 31))
