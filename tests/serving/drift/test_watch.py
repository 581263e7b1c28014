"""Drift through the service's doors: a lamp fades, the alarm is told and acknowledged, and ends with its cause."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from trialsight.cli import app as cli
from trialsight.home import Home

KNOBS = {"every_s": 0.05, "reference": 40, "window": 40}
Serve = Callable[..., AbstractContextManager[httpx.Client]]
Eventually = Callable[..., None]


def post(client: httpx.Client, count: int, light: float, start: int) -> None:
    for number in range(start, start + count):
        rng = np.random.default_rng(number)
        image = rng.integers(-3, 4, (64, 64, 1)).repeat(3, 2) + 128 * light
        data = cv2.imencode(".png", np.clip(image, 0, 255).astype(np.uint8))[1].tobytes()
        answer = client.post(
            "/v1/lines/L1/frames", params={"part": f"P{number}"}, content=data, headers={"Content-Type": "image/png"}
        )
        assert answer.status_code == 200, answer.text


def post_until(client: httpx.Client, light: float, start: int, seen: Callable[[], bool]) -> int:
    """More frames, as a line sends them, until it is seen: an alarm opens and ends by looks in a row, each at new
    frames. The next one's number."""
    end = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < end, "it did not happen"
        post(client, 10, light, start)
        start += 10
    return start


@pytest.fixture
def told() -> Iterator[tuple[str, list[dict]]]:
    """A webhook's other side: its address, and what came."""
    came: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", came
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_fading_lamp_is_told_acknowledged_and_over_when_it_is_mended(
    promoted: Home, serve: Serve, eventually: Eventually, told: tuple[str, list[dict]]
) -> None:
    plant = {"kind": "webhook", "name": "plant", "url": told[0], "secret": "whsec_" + "A" * 32, "verdicts": ["reject"]}
    with serve(promoted, open=True, drift=KNOBS, outbox=[plant]) as client:

        def drift() -> dict:
            return client.get("/v1/lines/L1/drift").json()

        assert drift()["watched"] == []
        post(client, 40, 1.0, 0)
        eventually(lambda: [view["frames"] for view in drift()["watched"]] == [40])
        post(client, 40, 1.0, 40)
        eventually(lambda: bool(drift()["watched"][0]["findings"]))
        assert drift()["alarms"] == []
        post(client, 40, 0.9, 80)
        after = post_until(client, 0.9, 120, lambda: bool(client.get("/v1/drift").json()))
        (alarm,) = drift()["alarms"]
        assert alarm["cause"] == "lamp"
        assert "brightness" in [one["measure"] for one in alarm["moved"]]
        assert alarm["proposal"] is None  # a lamp is mended, not learned

        url = f"/v1/lines/L1/drift/alarms/{alarm['id']}/acknowledge"
        first = client.post(url, json={"note": "lamp ordered"}).json()
        second = client.post(url, json={"note": "me too"}).json()
        assert first["acknowledged_by"] == second["acknowledged_by"]
        assert second["note"] == "lamp ordered"
        assert client.post(url.replace(alarm["id"], "0" * 32), json={}).status_code == 404

        post(client, 60, 1.0, after)
        post_until(client, 1.0, after + 60, lambda: client.get("/v1/drift").json() == [])
        (alarm,) = drift()["alarms"]
        assert alarm["ended_at"] is not None
        assert alarm["ended_by"] is None

        answer = client.post("/v1/lines/L1/drift/reference", json={"reason": "new lamp"})
        assert answer.status_code == 201
        assert answer.json()["watched"][0]["frames"] == 0
        assert client.post("/v1/lines/L1/drift/reference", json={"view": "top", "reason": "x"}).status_code == 409
        eventually(lambda: len(told[1]) == 2)
    assert [(one["type"], one["data"]["state"]) for one in told[1]] == [
        ("drift.alarm", "open"),
        ("drift.alarm", "ended"),
    ]
    assert {(one["data"]["alarm"], one["data"]["cause"]) for one in told[1]} == {(alarm["id"], "lamp")}
    said = CliRunner().invoke(cli, ["drift", "L1", "--home", str(promoted.root)]).output
    assert "lamp (default): ended" in said
    assert "acknowledged by" in said


def test_an_alarm_reaches_a_real_broker(promoted: Home, serve: Serve, eventually: Eventually, broker: Any) -> None:
    plant = {"kind": "mqtt", "name": "plant", "url": f"mqtt://127.0.0.1:{broker.port}", "verdicts": ["reject"]}
    with broker.listening() as heard, serve(promoted, open=True, drift=KNOBS, outbox=[plant]) as client:
        post(client, 40, 1.0, 0)
        eventually(lambda: bool(client.get("/v1/lines/L1/drift").json()["watched"]))
        post(client, 40, 0.9, 40)
        post_until(client, 0.9, 80, lambda: bool(heard))
        (alarm,) = client.get("/v1/drift").json()
    topic, message = heard[0]
    assert topic == "trialsight/default/L1/alarm"
    assert (message["alarm"], message["state"], message["cause"]) == (alarm["id"], "open", "lamp")
    assert "brightness" in [one["measure"] for one in message["moved"]]


def test_a_line_that_is_not_there(shared: httpx.Client) -> None:
    assert shared.get("/v1/lines/nowhere/drift").status_code in (401, 404)
