"""A day of use in a minute or two: the memory that it takes stays what it was after the first hours."""
import os

import pytest

from harness import run

HOURS, CYCLES = 24, 20


def cycle(session, media, number):
    """What a script does that works on a clip: a file replaced, a message, the queries, some looking around."""
    done = run(["cp", media / "title.png", session.inputs / f"title {number % 3}.png"])
    assert done.returncode == 0, done.stderr
    session.say(f"make it softer, for the {number}th time")
    session.reply()
    for name in ("state.json", "timeline.txt", "credits", "status.txt", "history.txt"):
        session.text(name)
    for name in session.inputs.iterdir():
        name.stat()


def hour(mount, session, media, number):
    for n in range(CYCLES):
        cycle(session, media, number * CYCLES + n)
    session.say(f'title "hour {number}"')
    session.say("export")
    assert "output.mp4 is ready" in session.reply()
    assert session.output.read_bytes()
    temporary = mount.session(f"hour {number}")
    temporary.wait_status("idle")
    os.rmdir(temporary)


@pytest.mark.backend("--credits", 1_000_000)
@pytest.mark.mount(render="manual")
@pytest.mark.limit(800)
def test_memory_stays_flat(mount, session, media):
    assert run(["cp", media / "clip.mp4", session.inputs]).returncode == 0
    kilobytes = []
    for number in range(HOURS):
        hour(mount, session, media, number)
        kilobytes.append(mount.program.resident_kb())
    print(f"resident after each hour: {kilobytes} kB")
    # The first hours warm up what is used again: arenas, connections, buffers.
    assert max(kilobytes[-6:]) < max(kilobytes[6:12]) + 1000
    descriptors = len(os.listdir(f"/proc/{mount.program.pid}/fd"))
    threads = len(os.listdir(f"/proc/{mount.program.pid}/task"))
    assert descriptors < 60 and threads < 40
