"""The client against a service that is away, busy and back: the frame arrives once."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from trialsight.home import Home
from trialsight_serving.client import Client, ServiceError


@pytest.fixture
def moody() -> "tuple[str, list[str], list[tuple[int, dict[str, str]]]]":
    """A server that gives the statuses that it is told to, one after the other, and notes the keys it was sent."""
    keys: list[str] = []
    moods: list[tuple[int, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            keys.append(self.headers["Idempotency-Key"])
            status, headers = moods.pop(0)
            body = b'{"detail": "busy", "remedy": "wait", "type": "urn:x", "retry_after_ms": 1}'
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", keys, moods
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_sends_again_under_the_same_key_until_it_is_refused_for_good(
    moody: tuple[str, list[str], list[tuple[int, dict[str, str]]]],
) -> None:
    url, keys, moods = moody
    moods += [(429, {"Retry-After": "1"}), (503, {}), (507, {}), (415, {})]
    waits: list[float] = []
    told: list[str] = []
    with (
        Client(
            url, wait=lambda s: waits.append(s) or True, on_retry=lambda why, _: told.append(why), patience_s=None
        ) as client,
        pytest.raises(ServiceError, match="415: busy") as refused,
    ):
        client.post_frame("L1", b"x", "image/png")
    assert (refused.value.status, refused.value.kind, refused.value.remedy) == (415, "urn:x", "wait")
    assert len(keys) == 4
    assert len(set(keys)) == 1
    assert [round(wait, 2) >= floor for wait, floor in zip(waits, (0.25, 0.5, 1.0), strict=True)] == [True] * 3
    assert [why[:3] for why in told] == ["429", "503", "507"]


def test_patience_ends() -> None:
    with Client("http://127.0.0.1:9", patience_s=0.0) as client:
        assert not client.ready()
        with pytest.raises(ServiceError, match="does not answer") as gone:
            client.post_frame("L1", b"x", "image/png")
    assert gone.value.status is None


def test_a_frame_and_its_answer(promoted: Home, serve: Callable[..., httpx.Client], bad: bytes) -> None:
    with serve(promoted) as http, Client(str(http.base_url)) as client:
        assert client.ready()
        result = client.post_frame(
            "L1", bad, "image/png", part="P-1", view="top", trial="T1", deadline_ms=5000, key="k"
        )
        again = client.post_frame("L1", bad, "image/png", part="P-1", key="k")
    assert (result.verdict, result.part, result.view, result.trial) == ("reject", "P-1", "top", "T1")
    assert again.id == result.id
