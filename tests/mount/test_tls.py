"""The backend over TLS: only with a certificate that the system trusts, and never an old version of it."""
import os
import socket
import ssl
import subprocess
import threading

import pytest

from harness import BUILD_DIR, PATIENCE, Program, clean_environment, run, wait_for

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="only root has mounts of its own"),
              pytest.mark.skipif(not os.path.exists(BUNDLE), reason="there are no certificates")]


def make_certificate(directory, names):
    """Signed by itself. `names` as in IP:127.0.0.1."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", directory / "key.pem", "-out", directory / "cert.pem", "-days", "2", "-subj", "/CN=test",
                    "-addext", f"subjectAltName={','.join(names)}"], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    make_certificate(directory, ["IP:127.0.0.1"])
    return directory


class Front:
    """TLS before the local backend."""

    def __init__(self, certificate, port, newest=None, listener=None):
        self.port = port
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        if newest:
            self.context.set_ciphers("ALL:@SECLEVEL=0")
            self.context.minimum_version = self.context.maximum_version = newest
        self.handshakes, self.failures = 0, []
        self.listener = listener or socket.create_server(("127.0.0.1", 0))
        self.url = "https://{}:{}".format(*self.listener.getsockname())
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return  # closed: the end
            threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw):
        try:
            with self.context.wrap_socket(raw, server_side=True) as client:
                self.handshakes += 1
                with socket.create_connection(("127.0.0.1", self.port)) as backend:
                    back = threading.Thread(target=self.copy, args=(backend, client), daemon=True)
                    back.start()
                    self.copy(client, backend)
                    back.join()
        except OSError as error:
            self.failures.append(str(error))

    @staticmethod
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


class Inside:
    """A mount in namespaces of its own, where the system may trust another certificate."""

    def __init__(self, directory, url, trusted=None, unshare="-m", prepare="true"):
        self.point = directory / "mount"
        self.point.mkdir()
        trust = f"mount --bind {trusted} {BUNDLE} && " if trusted else ""
        options = f"api={url},state_dir={directory}/state,cache_dir={directory}/cache,retry_wait=0.1,poll=0.2"
        self.program = Program(["unshare", unshare, "sh", "-c",
                                f"{prepare} && {trust}exec {BUILD_DIR}/bin/lipsyncfs -f -o {options} {self.point}"],
                               clean_environment(directory / "home"), directory / "mount.log")
        wait_for("the mount", lambda: self.sh(f"mountpoint -q {self.point}").returncode == 0)

    def sh(self, line):
        return run(["nsenter", "-t", self.program.pid, "-m", "sh", "-c", line], cwd="/", timeout=60)

    def end(self):
        self.program.process.terminate()
        assert self.program.wait() == 0
        self.program.check()


@pytest.fixture
def inside(tmp_path, certificate, backend):
    made = []

    def make(trusted=None, newest=None):
        front = Front(certificate, backend.port, newest)
        made.append(front)
        mount = Inside(tmp_path, front.url, trusted and certificate / "cert.pem")
        made.append(mount)
        return front, mount
    yield make
    front, mount = made
    mount.end()
    front.close()


def test_a_trusted_certificate(inside, media):
    """Everything works, from within the confinement that is in force by then."""
    front, mount = inside(trusted=True)
    done = mount.sh(f"mkdir {mount.point}/s && cd {mount.point}/s && cp {media}/clip.mp4 {media}/voice.wav inputs/ &&"
                    " echo 'sync this voiceover to the speaker' > instruct && cat reply.txt")
    assert "output.mp4 is ready" in done.stdout, done.stdout + done.stderr
    assert front.handshakes


def refusal(mount):
    """The words of a session that cannot be made."""
    def status():
        return mount.sh(f"cat {mount.point}/s/status.txt").stdout
    mount.sh(f"mkdir {mount.point}/s")
    wait_for("a failure", lambda: status().startswith("failed"), 45)
    return status()


@pytest.mark.limit(120)
def test_an_unknown_certificate(backend, inside):
    front, mount = inside()
    assert "certificate" in refusal(mount)
    assert not backend.requests() and not front.handshakes


@pytest.mark.limit(120)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_old_version(backend, inside):
    front, mount = inside(trusted=True, newest=ssl.TLSVersion.TLSv1_1)
    refusal(mount)
    wait_for("the handshake to fail", lambda: front.failures, 10 * PATIENCE)
    assert not backend.requests() and not front.handshakes
