"""A webhook's other side, and what a service is told of it."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


@dataclass
class Receiver:
    """A webhook's other side. `answer` decides the status of each message by its part."""

    url: str = ""
    answer: Callable[[str], int] = lambda part: 204
    taken: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def parts(self, line: str | None = None) -> list[str]:
        return [m["PartId"]["Id"] for m in self.taken if line in (None, m["ResultContent"][0]["line"])]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
            digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
            data = json.loads(body)["data"]
            status = 401
            if hmac.compare_digest(self.headers["webhook-signature"], f"v1,{digest}"):
                receiver.attempts.append(data["PartId"]["Id"])
                status = receiver.answer(data["PartId"]["Id"])
            if status < 300:
                receiver.taken.append(data)
                receiver.headers.append(dict(self.headers))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/results"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def webhook() -> Callable[..., dict[str, Any]]:
    """`webhook(url, "mes", lines=["L1"])`: a target as the settings name it."""

    def make(url: str, name: str = "mes", **more: object) -> dict[str, Any]:
        given = {"kind": "webhook", "name": name, "url": url, "secret": SECRET, "retry_max_s": 0.2, "timeout_s": 2}
        return given | more

    return make


@pytest.fixture
def post() -> Callable[..., dict[str, Any]]:
    """`post(client, frame, "P-1")`: the frame's result."""

    def send(client: httpx.Client, data: bytes, part: str, line: str = "L1", **headers: str) -> dict[str, Any]:
        headers = {"Content-Type": "image/png"} | headers
        answer = client.post(f"/v1/lines/{line}/frames", content=data, headers=headers, params={"part": part})
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    return send


@pytest.fixture
def drained() -> Callable[[httpx.Client], bool]:
    """Whether nothing waits."""
    return lambda client: all(target["waiting"] == 0 for target in client.get("/v1/outbox").json()["targets"])
