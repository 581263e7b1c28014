"""A load of its own process: `python -m benchmarks.service.load` reads a plan as JSON on stdin, writes what it saw.

Raw sockets kept alive, requests made beforehand: it shares the cores with what it measures, so it must cost little.
Closed: each of `clients` sends its next frame when the last is answered. Open: frames leave at `rate_hz` whatever
comes back, each of `clients` cameras at an even pace of its own with ±20 % jitter, and latency counts from when a
frame should have left, so that a stalled sender hides nothing (coordinated omission).
"""

import itertools
import json
import queue
import random
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Plan:
    """`path`: of the POST. `rate_hz` None: closed loop. `headers`: beyond Content-Type and Content-Length."""

    url: str
    path: str
    frames: list[str]
    clients: int
    seconds: float
    rate_hz: float | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "image/jpeg"
    probe: str | None = None


@dataclass(frozen=True)
class Seen:
    """(status, milliseconds) of each request in order of its answer; status 0: none came. `probe_ms`: of the probe."""

    answers: list[tuple[int, float]]
    probe_ms: list[float]
    seconds: float

    def ms(self, status: int = 200) -> list[float]:
        return [ms for code, ms in self.answers if code == status]


class Connection:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname or "127.0.0.1", parts.port or 80
        self._socket: socket.socket | None = None

    def send(self, request: bytes) -> int:
        """The status, 0 where the connection broke. One that the server closed while it was idle is opened anew."""
        for used in (self._socket is not None, False):
            try:
                if self._socket is None:
                    self._socket = socket.create_connection(self._address, timeout=60)
                    self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._socket.sendall(request)
                return self._read(self._socket)
            except OSError:
                self.close()
                if not used:
                    break
        return 0

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _read(self, connection: socket.socket) -> int:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            chunk = connection.recv(65536)
            if not chunk:
                raise ConnectionError
            data += chunk
        head = data[:end].lower()
        at = head.find(b"content-length:")
        missing = int(head[at + 15 :].split(b"\r\n")[0]) - (len(data) - end - 4)
        while missing > 0:
            missing -= len(connection.recv(min(missing, 65536)) or b"x" * missing)
        if b"\r\nconnection: close" in head:
            self.close()
        return int(head[9:12])


def run(plan: Plan) -> Seen:
    requests = [_request(plan, Path(frame).read_bytes()) for frame in plan.frames]
    answers: list[tuple[int, float]] = []
    stop = threading.Event()
    probe_ms: list[float] = []
    prober = threading.Thread(target=_probe, args=(plan, stop, probe_ms))
    prober.start()
    started = time.perf_counter()
    (_closed if plan.rate_hz is None else _open)(plan, requests, answers)
    seconds = time.perf_counter() - started
    stop.set()
    prober.join()
    return Seen(answers, probe_ms, seconds)


def _request(plan: Plan, body: bytes) -> bytes:
    headers = {"Host": urlsplit(plan.url).netloc, "Content-Type": plan.content_type, "Content-Length": str(len(body))}
    lines = [f"{name}: {value}" for name, value in (headers | plan.headers).items()]
    return "\r\n".join([f"POST {plan.path} HTTP/1.1", *lines, "", ""]).encode() + body


def _closed(plan: Plan, requests: list[bytes], answers: list[tuple[int, float]]) -> None:
    end = time.perf_counter() + plan.seconds
    turn = itertools.cycle(requests)

    def client(_: int) -> None:
        connection = Connection(plan.url)
        while (began := time.perf_counter()) < end:
            status = connection.send(next(turn))
            answers.append((status, 1000 * (time.perf_counter() - began)))
        connection.close()

    _threads(client, plan.clients)


def _open(plan: Plan, requests: list[bytes], answers: list[tuple[int, float]]) -> None:
    """A camera's frames wait for nothing: each goes out on whichever connection is free."""
    assert plan.rate_hz is not None
    chance = random.Random(0)  # noqa: S311 - a pace, not a secret
    period = plan.clients / plan.rate_hz
    due: list[tuple[float, int]] = []
    for camera in range(plan.clients):
        at = chance.random() * period
        while at < plan.seconds:
            due.append((at + chance.uniform(-0.2, 0.2) * period, camera))
            at += period
    waiting: queue.SimpleQueue[tuple[float, bytes] | None] = queue.SimpleQueue()

    def sender(_: int) -> None:
        connection = Connection(plan.url)
        while (item := waiting.get()) is not None:
            scheduled, request = item
            status = connection.send(request)
            answers.append((status, 1000 * (time.perf_counter() - scheduled)))
        connection.close()

    senders = [threading.Thread(target=sender, args=(number,)) for number in range(48)]
    for thread in senders:
        thread.start()
    started = time.perf_counter()
    for number, (at, _) in enumerate(sorted(due)):
        time.sleep(max(0.0, started + at - time.perf_counter()))
        waiting.put((started + at, requests[number % len(requests)]))
    for _ in senders:
        waiting.put(None)
    for thread in senders:
        thread.join()


def _probe(plan: Plan, stop: threading.Event, found: list[float]) -> None:
    if plan.probe is None:
        return
    connection = Connection(plan.url)
    request = f"GET {plan.probe} HTTP/1.1\r\nHost: {urlsplit(plan.url).netloc}\r\n\r\n".encode()
    while not stop.wait(0.05):
        began = time.perf_counter()
        if connection.send(request) == 200:
            found.append(1000 * (time.perf_counter() - began))
    connection.close()


def _threads(work: object, count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    json.dump(asdict(run(Plan(**json.load(sys.stdin)))), sys.stdout)
