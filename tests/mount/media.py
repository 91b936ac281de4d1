"""Small media files, made once for a build."""
import fcntl
import subprocess
from pathlib import Path

from harness import BUILD_DIR

WORDS = "The quick brown fox jumps over the lazy dog, and nobody told it when to begin."
CLIP_S = 5
DELAY_S = 0.4  # the voice begins this much later in the clip than in its own recording


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)


def make(where):
    subprocess.run(["espeak-ng", "-w", where / "said.wav", WORDS], check=True)
    ffmpeg("-i", where / "said.wav", "-ar", 44100, where / "voice.wav")
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=25:duration={CLIP_S}", "-i", where / "voice.wav",
           "-f", "lavfi", "-i", "anoisesrc=amplitude=0.01:seed=1",
           "-filter_complex", f"[1:a]adelay={int(DELAY_S * 1000)}:all=1,lowpass=3000,volume=0.5[v];"
           "[v][2:a]amix=inputs=2:duration=longest:normalize=0[a]",
           "-map", "0:v", "-map", "[a]", "-t", CLIP_S, "-c:v", "libx264", "-preset", "veryfast",
           "-pix_fmt", "yuv420p", "-c:a", "aac", where / "clip.mp4")
    ffmpeg("-i", where / "clip.mp4", "-c", "copy", where / "clip.mov")
    ffmpeg("-i", where / "clip.mp4", "-c", "copy", where / "clip.mkv")
    ffmpeg("-i", where / "voice.wav", where / "voice.mp3")
    ffmpeg("-i", where / "voice.wav", where / "voice.m4a")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", 1, where / "title.png")


def film(clip, path, times):
    """A longer one: the clip again and again."""
    ffmpeg("-stream_loop", times - 1, "-i", clip, "-c", "copy", path)


def lengthen(path, size):
    """An MP4 file, by a last box of nothing."""
    with open(path, "r+b") as file:
        had = file.seek(0, 2)
        file.write((size - had).to_bytes(4, "big") + b"free")
        file.truncate(size)


def directory():
    """Where they are; other test processes may be making them at this moment."""
    where = Path(BUILD_DIR) / "tests" / "media"
    where.mkdir(parents=True, exist_ok=True)
    with open(where / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (where / ".made").exists():
            make(where)
            (where / ".made").touch()
    return where
