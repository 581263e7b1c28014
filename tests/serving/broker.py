"""A real MQTT broker, and somebody who listens to it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion


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
        for _ in range(6000):
            assert self._process.poll() is None, "mosquitto did not start"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        pytest.fail("mosquitto does not listen")

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
            self._process = None

    @contextmanager
    def listening(self) -> Iterator[list[tuple[str, Any]]]:
        """Topic and message, in the order of their arrival; the broker keeps them for us while we are away."""
        heard: list[tuple[str, Any]] = []
        ready = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda client, *_: client.subscribe("trialsight/#", qos=1)
        client.on_subscribe = lambda *_: ready.set()
        client.on_message = lambda _client, _data, message: heard.append((message.topic, json.loads(message.payload)))
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        assert ready.wait(60)
        try:
            yield heard
        finally:
            client.disconnect()
            client.loop_stop()


@contextmanager
def running(folder: Path) -> Iterator[Broker]:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("no mosquitto is installed (Debian: apt-get install mosquitto)")
    folder.mkdir()
    broker = Broker(program, folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
