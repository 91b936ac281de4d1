"""The registry on disk after what must not happen: damaged records, names given twice, files cut short."""
import json
import os

from harness import ended, run, spawn, wait_for


def records(mount):
    """Name of the session → path of its record."""
    return {json.loads(path.read_text())["name"]: path for path in (mount.state / "sessions").glob("*/session.json")}


def contents(directory):
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_name_given_twice(mount):
    """Two renames of which only the first was recorded."""
    for name in ("a", "b"):
        mount.session(name).wait_status("idle")
    mount.unmount()
    path = records(mount)["b"]
    path.write_text(path.read_text().replace('"b"', '"a"'))
    mount.start()
    assert {"a", "a (2)"} <= set(os.listdir(mount.point))
    assert "cannot be read" not in mount.program.words()
    mount.remount()
    assert {"a", "a (2)"} <= set(os.listdir(mount.point))


def test_a_damaged_record_costs_nothing(mount, session, media):
    for name in ("clip.mp4", "voice.wav"):
        assert run(["cp", media / name, session.inputs]).returncode == 0
    mount.unmount()
    path = records(mount)["s"]
    good = path.read_text()
    record = json.loads(good)
    record["inputs"][-1]["state"] = "nonsense"
    path.write_text(json.dumps(record))
    before = contents(mount.state / "sessions"), contents(mount.cache)
    mount.start()
    assert "s" not in os.listdir(mount.point)
    mount.session("other").wait_status("idle")
    mount.unmount()
    assert f"{path.parent} cannot be read" in mount.program.words()
    assert contents(mount.cache) == before[1]
    after = contents(mount.state / "sessions")
    assert {name: after[name] for name in before[0]} == before[0]
    path.write_text(good)
    mount.start()
    for name in ("clip.mp4", "voice.wav"):
        assert (session.inputs / name).read_bytes() == (media / name).read_bytes()


def test_history_is_rotated(mount, session):
    session.wait_status("idle")
    mount.unmount()
    path = records(mount)["s"].parent / "history.txt"
    line = "2026-01-01 00:00:00 note: " + 70 * "x" + "\n"
    path.write_text(line * (8 * 2**20 // len(line)))
    mount.start()
    session.say("status")
    session.reply()
    mount.remount()
    history = session.history()
    assert 3 * 2**20 < len(history) < 5 * 2**20
    assert history.startswith("2026-01-01") and history.rstrip().splitlines()[-1].startswith("20")
    assert "instruct: status" in history


def test_history_cut_short_behind_its_back(mount, session):
    session.wait_status("idle")
    mount.unmount()
    path = records(mount)["s"].parent / "history.txt"
    path.write_text(70 * "x" + "\n" + "y\n" * (4 * 2**20 - 40))
    mount.start()
    os.truncate(path, 100)
    session.say("status")
    session.reply()
    mount.remount()
    history = session.history()
    assert "instruct: status" in history and "\0" not in history


def test_a_replacement_that_was_not_sent(backend, mount, session, media):
    """What a rename put there is kept until the close of what replaces it has succeeded."""
    session.wait_status("idle")
    backend.fault("upload", hold=True)
    (session.inputs / ".v.wav.part").write_bytes((media / "voice.wav").read_bytes())
    os.rename(session.inputs / ".v.wav.part", session.inputs / "v.wav")
    wait_for("the upload", lambda: backend.held("upload"))
    with ended(spawn(["cp", media / "clip.mp4", session.inputs / "v.wav"])):
        wait_for("the second upload", lambda: len(backend.requests("upload")) == 2)
        mount.crash()
    backend.restart()  # what it held of the uploads is gone too
    mount.start()
    assert (session.inputs / "v.wav").read_bytes() == (media / "voice.wav").read_bytes()
    wait_for("its upload", lambda: [f["name"] for f in backend.files()] == ["v.wav"])
    assert backend.content(backend.files()[0]) == (media / "voice.wav").read_bytes()


def test_an_interrupted_replacement_of_what_was_not_sent(backend, mount, session, media):
    session.wait_status("idle")
    backend.fault("upload", hold=True)
    (session.inputs / ".v.wav.part").write_bytes((media / "voice.wav").read_bytes())
    os.rename(session.inputs / ".v.wav.part", session.inputs / "v.wav")
    wait_for("the upload", lambda: backend.held("upload"))
    with ended(spawn(["cp", media / "clip.mp4", session.inputs / "v.wav"])) as writer:
        wait_for("the second upload", lambda: len(backend.requests("upload")) == 2)
        writer.terminate()
        writer.wait(10)
    wait_for("the third upload", lambda: len(backend.requests("upload")) == 3)
    backend.no_faults()
    wait_for("its end", lambda: "uploading" not in session.text("status.txt"))
    assert (session.inputs / "v.wav").read_bytes() == (media / "voice.wav").read_bytes()
    assert (media / "voice.wav").read_bytes() in [backend.content(f) for f in backend.files()]
