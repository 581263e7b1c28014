"""The service as a process that can be killed, and clients that press on it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from trialsight.home import Home

TRIALSIGHT = str(Path(sys.executable).with_name("trialsight"))


def how_many(name: str, short: int) -> int:
    """The short form, or as many as the environment says."""
    return int(os.environ.get(name, short))


@dataclass
class Running:
    """`ready_s`: from its start until it gave verdicts."""

    process: "subprocess.Popen[str]"
    url: str
    ready_s: float


@dataclass
class Pressing:
    """What clients in threads of their own have been told, while they go on."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    refused: list[httpx.Response] = field(default_factory=list)


@pytest.fixture
def counted() -> Callable[[str, int], int]:
    return how_many


@pytest.fixture
def run_service() -> Callable[..., AbstractContextManager[Running]]:
    """`with run_service(home) as running`: `trialsight serve` on a free port, ready; killed at the end."""

    @contextmanager
    def run(home: Home, *options: str) -> Iterator[Running]:
        started = time.monotonic()
        command = [TRIALSIGHT, "serve", "--home", str(home.root), "--port", "0", *options]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert process.stderr is not None
        try:
            url = next(said["url"] for line in process.stderr if (said := json.loads(line))["event"] == "listening")
            reader = threading.Thread(target=lambda: list(process.stderr or ()), daemon=True)
            reader.start()
            while not _ready(url):
                assert process.poll() is None, "the service ended"
                time.sleep(0.02)
            yield Running(process, url, time.monotonic() - started)
        finally:
            process.kill()
            process.wait()
            process.stderr.close()

    return run


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=60).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@pytest.fixture
def pressing() -> Callable[..., AbstractContextManager[Pressing]]:
    """`with pressing(url, frames) as seen`: three clients post until the block ends or the service is gone."""

    @contextmanager
    def press(url: str, frames: list[bytes], name: str = "") -> Iterator[Pressing]:
        seen, stop = Pressing(), threading.Event()

        def post(worker: int) -> None:
            with httpx.Client(base_url=url, timeout=60) as client:
                number = 0
                while not stop.is_set():
                    part = f"{name}{worker}-{number}"
                    headers = {"Content-Type": "image/png", "Idempotency-Key": part, "X-Deadline-Ms": "60000"}
                    data = frames[(number + worker) % len(frames)]
                    try:
                        answer = client.post(
                            "/v1/lines/L1/frames", content=data, headers=headers, params={"part": part}
                        )
                    except httpx.TransportError:
                        return
                    if answer.status_code == httpx.codes.OK:
                        seen.answers.append(answer.json())
                    else:
                        seen.refused.append(answer)
                    number += 1

        threads = [threading.Thread(target=post, args=(worker,)) for worker in range(3)]
        for thread in threads:
            thread.start()
        try:
            yield seen
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    return press
