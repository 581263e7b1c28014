"""Results handed on to a real broker, which is stopped and started."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from trialsight.home import Home
from trialsight_serving.outbox.queue import Message
from trialsight_serving.outbox.sending import make_sender
from trialsight_serving.outbox.targets import MqttTarget
from trialsight_serving.store.frames import FrameRecord

Serve = Callable[..., AbstractContextManager[httpx.Client]]
Eventually = Callable[..., None]
Post = Callable[..., dict[str, Any]]
Drained = Callable[[httpx.Client], bool]


class Broker:
    """A real mosquitto that keeps its sessions over a restart."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        (folder / "passwords").write_text("")
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {folder}/",
            "max_queued_messages 100000",
            *(["user root"] if os.getuid() == 0 else []),
        ]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [self._program, "-c", str(self._folder / "mosquitto.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(500):
            assert self._process.poll() is None, "mosquitto did not start"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        pytest.fail("mosquitto does not listen")

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(10)
            self._process = None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("no mosquitto is installed (Debian: apt-get install mosquitto)")
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Broker(program, folder)
    broker.start()
    yield broker
    broker.stop()


@contextmanager
def listening(broker: Broker) -> Iterator[list[tuple[str, str]]]:
    """Topic and part of each message, in the order of their arrival; the broker keeps them for us while we are away."""
    heard: list[tuple[str, str]] = []
    ready = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
    client.reconnect_delay_set(1, 1)
    client.on_connect = lambda client, *_: client.subscribe("trialsight/#", qos=1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _client, _data, message: heard.append(
        (message.topic, json.loads(message.payload)["PartId"]["Id"])
    )
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert ready.wait(10)
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_broker_that_goes_away_loses_nothing(
    promoted: Home, serve: Serve, bad: bytes, broker: Broker, eventually: Eventually, post: Post, drained: Drained
) -> None:
    target = {
        "kind": "mqtt",
        "name": "plant",
        "url": f"mqtt://127.0.0.1:{broker.port}",
        "retry_max_s": 0.3,
        "timeout_s": 3,
    }
    with listening(broker) as heard, serve(promoted, outbox=[target]) as client:
        for number in range(5):
            post(client, bad, f"P-{number}")
        eventually(lambda: len(heard) >= 5)
        broker.stop()
        for number in range(5, 25):
            post(client, bad, f"P-{number}")
        eventually(lambda: client.get("/v1/outbox").json()["targets"][0]["problem"] is not None)
        assert client.get("/v1/outbox").json()["targets"][0]["waiting"] == 20
        broker.start()
        eventually(lambda: drained(client), 30)
        eventually(lambda: len({part for _, part in heard}) == 25, 30)
    assert {topic for topic, _ in heard} == {"trialsight/default/L1/result"}
    first_seen = list(dict.fromkeys(part for _, part in heard))
    assert first_seen == [f"P-{number}" for number in range(25)]


def test_a_broker_that_is_not_there_is_told_of(make_record: Callable[..., FrameRecord]) -> None:
    target = MqttTarget(kind="mqtt", name="x", url="mqtt://127.0.0.1:9", timeout_s=1)
    sender = make_sender(target)
    sent = sender.send([Message(1, "L1", "a", "{}", make_record(1).received_at)])
    assert (sent.done, sent.unreachable) == ([], True)
    assert sent.problem is not None
    sender.close()


def test_a_lines_name_is_one_level_of_the_topic() -> None:
    target = MqttTarget(kind="mqtt", name="x", url="mqtts://broker")
    assert target.topic_of("3/左 #+") == "trialsight/default/3%2F%E5%B7%A6%20%23%2B/result"
    assert target.topic_of("L1", alarm=True) == "trialsight/default/L1/alarm"
    assert (target.address, target.tls) == (("broker", 8883), True)
