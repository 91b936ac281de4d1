"""A running nemo-local, and a small client for it that hides nothing."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import time
import urllib.parse

PROGRAM = os.environ["NEMO_LOCAL"]
SKILL = {
    "X-Skill-Source": "lipsyncvideo-ai",
    "X-Skill-Version": "1.0.1",
    "X-Skill-Platform": "unknown",
}
PATIENCE_S = 60


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["code"]

    @property
    def data(self):
        assert self.json["code"] == 0, self.body
        return self.json["data"]


class Local:
    """One server process, and one user of it."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [PROGRAM, "--die-with-parent", *map(str, options)], stdout=subprocess.PIPE, text=True
        )
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.url
        self.port = urllib.parse.urlsplit(self.url).port
        self.token = None
        self.session = None

    def stop(self):
        self.process.terminate()
        assert self.process.wait(PATIENCE_S) == 0
        assert self.process.stdout.read() == ""

    def headers(self, token=True, skill=True):
        headers = dict(SKILL) if skill else {}
        if token and self.token:
            headers["Authorization"] = "Bearer " + self.token
        return headers

    def call(self, method, path, body=None, headers=None, **how):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        all_headers = {**self.headers(**how), **(headers or {})}
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            all_headers["Content-Type"] = "application/json"
        with contextlib.closing(connection):
            connection.request(method, path, body, all_headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def raw(self, text):
        """What comes back for these bytes, to the end of the connection; and whether it was a reset."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as s:
            s.sendall(text.encode())
            return read_all(s)

    def request_text(self, method, path, body="", headers=()):
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: x", "Connection: close"]
        lines += ["%s: %s" % pair for pair in self.headers().items()]
        lines += headers
        if body or method == "POST":
            lines.append("Content-Length: %d" % len(body.encode()))
        return "\r\n".join(lines) + "\r\n\r\n" + body

    # the protocol

    def get_token(self, client="client-1"):
        answer = self.call("POST", "/api/auth/anonymous-token", headers={"X-Client-Id": client})
        if answer.status == 200:
            self.token = answer.data["token"]
        return answer

    def open_session(self, name="test"):
        answer = self.call(
            "POST", "/api/tasks/me/with-session/nemo_agent", {"task_name": name, "language": "en"}
        )
        self.session = answer.data["session_id"]
        return self.session

    def upload(self, name, data, session=None, field="files"):
        border = "----border7361"
        body = (
            (
                '--%s\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n" % (border, field, name)
            ).encode()
            + data
            + ("\r\n--%s--\r\n" % border).encode()
        )
        return self.call(
            "POST",
            "/api/upload-video/nemo_agent/me/%s" % (session or self.session),
            body,
            {"Content-Type": "multipart/form-data; boundary=" + border},
        )

    def upload_file(self, path):
        return self.upload(path.name, path.read_bytes()).data["files"][0]

    def message_body(self, text, session=None):
        return {
            "app_name": "nemo_agent",
            "user_id": "me",
            "session_id": session or self.session,
            "new_message": {"parts": [{"text": text}]},
        }

    def message(self, text, session=None):
        return self.call("POST", "/run_sse", self.message_body(text, session))

    def say(self, text):
        answer = self.message(text)
        assert answer.status == 200, answer.body
        return words(answer.body)

    def state_text(self):
        return self.call("GET", "/api/state/nemo_agent/me/%s/latest" % self.session).body.decode()

    def draft_text(self):
        """The draft's exact characters."""
        text = self.state_text()
        start = text.index('"draft":') + len('"draft":')
        return text[start : start + json.JSONDecoder().raw_decode(text[start:])[1]]

    @property
    def draft(self):
        return json.loads(self.draft_text())

    @property
    def credits(self):
        return self.call("GET", "/api/credits/balance/simple").data

    def submit(self, render_id, draft=None, **how):
        body = '{"id":"%s","sessionId":"%s","draft":%s,"output":{"format":"mp4","quality":"high"}}' % (
            render_id,
            self.session,
            draft or self.draft_text(),
        )
        return self.call("POST", "/api/render/proxy/lambda", body, **how)

    def poll(self, render_id):
        return self.call("GET", "/api/render/proxy/lambda/" + render_id)

    def wait_render(self, render_id):
        def ended():
            job = self.poll(render_id).json
            job = job.get("data", job)
            return job if job["status"] in ("completed", "failed") else None

        return wait_for(ended)

    def render(self, path, render_id="render_1"):
        assert self.submit(render_id).json["success"]
        job = self.wait_render(render_id)
        assert job["status"] == "completed", job
        path.write_bytes(self.call("GET", "/api/render/proxy/%s/download" % render_id).body)
        return path

    # control

    def faults(self, *rules):
        answer = self.call("POST", "/_local/faults", {"rules": list(rules)})
        assert answer.status == 200, answer.body

    def no_faults(self):
        assert self.call("DELETE", "/_local/faults").status == 200

    def requests(self, endpoint=None):
        entries = self.call("GET", "/_local/requests").json
        return [e for e in entries if endpoint in (None, e["endpoint"])]

    def wait_over(self, endpoint):
        """The last request to the endpoint, once it is over."""

        def over():
            entries = self.requests(endpoint)
            return entries[-1] if entries and entries[-1]["over"] else None

        return wait_for(over)


def wait_for(condition):
    """What the condition gives, once it gives something."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between two looks


def read_all(s):
    """Bytes to the end of the connection, and whether the end was a reset."""
    parts = []
    while True:
        try:
            part = s.recv(65536)
        except ConnectionResetError:
            return b"".join(parts), True
        if not part:
            return b"".join(parts), False
        parts.append(part)


def events(stream):
    """The events of a stream, parsed."""
    found = []
    for line in stream.decode().split("\n"):
        if line.startswith("data: "):
            found.append(json.loads(line[len("data: ") :]))
    return found


def words(stream):
    """What the agent said, each word once."""
    said = []
    for event in events(stream):
        if event.get("type") == "text":
            said.append(event["content"])
        for part in event.get("content", {}).get("parts", []) if "author" in event else []:
            if "text" in part and not event.get("partial") and not part.get("thought"):
                said.append(part["text"])
    return "".join(said)
