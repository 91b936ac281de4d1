"""What the tests of the protocol share: calls whose errno counts, and scripted event streams."""
import contextlib
import errno
import json
import os
import shutil

from harness import wait_for


@contextlib.contextmanager
def fails(*numbers):
    """The block ends with an OSError of one of these errnos."""
    try:
        yield
    except OSError as error:
        names = [errno.errorcode[n] for n in numbers]
        assert error.errno in numbers, f"{errno.errorcode.get(error.errno)} in place of {names}"
    else:
        raise AssertionError(f"no error, where {[errno.errorcode[n] for n in numbers]} was expected")


def opened(session):
    """`instruct`, open for writing; the checks at its open are over."""
    return os.open(session.instruct, os.O_WRONLY)


def close_with(fd, text):
    """Writes a message and closes; the errno of close() is an exception."""
    try:
        os.write(fd, text.encode())
    except OSError:
        os.close(fd)
        raise
    os.close(fd)


def say(session, text):
    close_with(opened(session), text)


def put(path, source):
    """Copies a file in; the errno of close() is an exception."""
    with open(source, "rb") as file:
        content = file.read()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(fd, content)
    except OSError:
        os.close(fd)
        raise
    os.close(fd)


def connected(session):
    session.wait_status("idle", "ready")
    return session


def filmed(session, media):
    """With a clip and a voice."""
    for name in ("clip.mp4", "voice.wav"):
        shutil.copyfile(media / name, session.inputs / name)
    return session


def typed(*events):
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events)


def text(words):
    return {"type": "text", "content": words}


def adk(*parts, partial=False, author="nemo_agent", invocation="e-1", **more):
    event = {"author": author, "invocationId": invocation, "content": {"role": "model", "parts": list(parts)}, **more}
    return {**event, "partial": True} if partial else event


def endpoints(backend):
    return [r["endpoint"] for r in backend.requests()]


def at_rest(backend, session):
    """Nothing is under way, and nothing that was asked lately may be shared."""
    connected(session)
    wait_for("a moment without requests", lambda: backend.quiet(1.2))
    return session
