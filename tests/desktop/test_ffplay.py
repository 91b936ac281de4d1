"""ffplay, told by keys where to go while it plays output.mp4."""
import re
import shutil

import pytest

from fixtures import FILM_S
from harness import wait_for

ARROW_S = 10
NEAR_S = 6  # it goes to a picture that begins a scene, and on from there


class Ffplay:
    def __init__(self, desktop, file, log):
        self.desktop, self.log = desktop, log
        self.process = desktop.start("sh", "-c", 'SDL_AUDIODRIVER=dummy exec ffplay -hide_banner -stats -window_title film "$0" 2> "$1"',
                                     file, log)
        self.window = wait_for("the window", lambda: desktop.run("xdotool", "search", "--name", "^film$").strip())
        desktop.run("xdotool", "windowfocus", "--sync", self.window)

    def at(self):
        """Its clock, as it tells it again and again."""
        told = re.findall(r"([\d.]+) (?:A-V|M-V|M-A):", self.log.read_text(errors="replace"))
        return float(told[-1]) if told else 0.0

    def goes(self, key, seconds):
        """A key takes it that far, and it plays on."""
        wanted = self.at() + seconds
        self.desktop.keys(key)
        arrived = wait_for(f"it to be near {wanted}", lambda: abs(self.at() - wanted) < NEAR_S and self.at())
        wait_for("it to play on", lambda: self.at() > arrived + 0.3)


def test_seeks(desktop, film, tmp_path):
    if not shutil.which("ffplay"):
        pytest.skip("no ffplay")
    player = Ffplay(desktop, film.output, tmp_path / "ffplay.log")
    try:
        wait_for("it to play", lambda: player.at() > 0.2)
        for _ in range(3):
            player.goes("Right", ARROW_S)
            player.goes("Left", -ARROW_S)
        player.goes("Right", ARROW_S)
        film.say(f"trim to {FILM_S // 2} s")
        player.goes("Left", -ARROW_S)
        assert f"output.mp4 is ready (0:{FILM_S // 2}" in film.reply()
        player.goes("Right", ARROW_S)  # of the one that it opened
    finally:
        player.process.kill()
        player.process.wait()
    assert not re.search("[Ee]rror|[Ii]nvalid", player.log.read_text(errors="replace"))
