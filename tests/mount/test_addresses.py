"""A backend out there may send us to other hosts out there, but to no address nearer than its own: neither by a URL
nor by a redirect nor by a name. In a network of its own, in which public addresses can be had."""
import ctypes
import http.server
import os
import shutil
import ssl
import socket
import threading

import pytest

from harness import run, wait_for
from test_tls import BUNDLE, Front, Inside, make_certificate

API, PUBLIC, PRIVATE, LINK_LOCAL, NEAR = "203.0.113.1", "203.0.113.2", "10.1.2.3", "169.254.169.254", "near.test"
HOSTS = [API, PUBLIC, PRIVATE, LINK_LOCAL, "127.0.0.1"]
CLONE_NEWNET = 0x40000000
pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="only root has networks of its own"),
              pytest.mark.skipif(not os.path.exists(BUNDLE), reason="there are no certificates"),
              pytest.mark.skipif(not shutil.which("ip"), reason="there is no ip")]


def listen(pid, address):
    """A listening socket in the network of that process."""
    made = []

    def make():  # the thread is not seen again
        with open(f"/proc/{pid}/ns/net") as network:
            if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        made.append(socket.create_server(address))
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


class Hosts(http.server.ThreadingHTTPServer):
    """Every other host of that network: /video is one, /to/URL redirects. `met`: who was connected to."""

    def __init__(self, listener, context, video):
        super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.context, self.video, self.met, self.tokens = context, video, set(), []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def get_request(self):
        connection, address = super().get_request()
        self.met.add(connection.getsockname()[0])
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request, address):
        """Hung up on."""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.tokens.append(self.headers.get("Authorization"))
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
            body = b""
        else:
            self.send_response(200)
            body = self.server.video
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def world(tmp_path, backend, media):
    make_certificate(tmp_path, [f"IP:{host}" for host in HOSTS] + ["IP:::1", f"DNS:{NEAR}"])
    (tmp_path / "hosts").write_text(f"{PRIVATE} {NEAR}\n")
    addresses = "".join(f" && ip address add {host}/32 dev lo" for host in HOSTS[:-1])
    mount = Inside(tmp_path, f"https://{API}:443", tmp_path / "cert.pem", "-mn",
                   f"ip link set lo up{addresses} && mount --bind {tmp_path}/hosts /etc/hosts")
    front = Front(tmp_path, backend.port, listener=listen(mount.program.pid, (API, 443)))
    hosts = Hosts(listen(mount.program.pid, ("0.0.0.0", 444)), front.context, (media / "clip.mp4").read_bytes())
    yield mount, hosts
    mount.end()
    hosts.shutdown()
    hosts.server_close()
    front.close()


def render_from(backend, mount, url):
    """The reply to a message whose video is said to be there."""
    backend.fault("render", output_url=url)
    backend.fault("poll", output_url=url)
    done = mount.sh(f"cd {mount.point}/s && echo 'title \"{url}\"' > instruct && cat reply.txt")
    assert done.returncode == 0, done.stderr
    backend.no_faults()
    return done.stdout


@pytest.mark.limit(120)
def test_no_address_nearer_than_the_backend(backend, world, media):
    mount, hosts = world
    done = mount.sh(f"mkdir {mount.point}/s && cp {media}/clip.mp4 {mount.point}/s/inputs/")
    assert done.returncode == 0, done.stderr
    # One that is as far away is fine, also by a redirect.
    for url in (f"https://{PUBLIC}:444/video", f"https://{PUBLIC}:444/to/https://{PUBLIC}:444/video"):
        assert "output.mp4 is ready" in render_from(backend, mount, url)
        assert mount.sh(f"cmp {mount.point}/s/output.mp4 {media}/clip.mp4").returncode == 0
    assert hosts.met == {PUBLIC}
    for host in (PRIVATE, LINK_LOCAL, "127.0.0.1", "localhost", NEAR, "0.0.0.0", "2130706433", "[::ffff:10.1.2.3]"):
        for url in (f"https://{host}:444/video", f"https://{PUBLIC}:444/to/https://{host}:444/video"):
            render_from(backend, mount, url)
            assert mount.sh(f"cmp {mount.point}/s/output.mp4 {media}/clip.mp4").returncode != 0, url
            assert hosts.met == {PUBLIC}, url
    assert hosts.tokens and not any(hosts.tokens)
