"""The camera agent: what it takes from where, and that each frame is answered once and in order, whatever happens."""

import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight.source import CameraFrame
from trialsight_serving.camera.report import Reporter
from trialsight_serving.camera.sources import limited, open_source
from trialsight_serving.camera.spool import Spool
from trialsight_serving.client import Client

TRIALSIGHT = str(Path(sys.executable).with_name("trialsight"))
FRAMES = int(os.environ.get("TRIALSIGHT_AGENT_FRAMES", "60"))  # 10,000 for the long form
LONG = FRAMES > 1000


def take(source: object, took: Callable[[str], bool] = lambda _: False) -> list[CameraFrame]:
    return list(source.frames(took, threading.Event()))


def frame(number: int, size: int = 10, origin: str = "") -> CameraFrame:
    return CameraFrame(bytes([number]) * size, "image/png", f"P-{number}", origin=origin)


def test_a_folder_in_order_or_shuffled(tmp_path: Path, good: bytes) -> None:
    for name in ("b.png", "a.png", "notes.txt", ".c.png"):
        (tmp_path / name).write_bytes(good)
    found = take(open_source(str(tmp_path)))
    assert [(one.part, one.truth, one.content_type) for one in found] == [
        (f"{tmp_path.name}-a", None, "image/png"),
        (f"{tmp_path.name}-b", None, "image/png"),
    ]
    shuffled = {tuple(one.part for one in take(open_source(str(tmp_path), seed=seed))) for seed in range(8)}
    assert len(shuffled) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrialsightError, match="holds no image"):
        take(open_source(str(tmp_path / "empty")))


def test_a_named_source_comes_from_whoever_offers_it() -> None:
    found = take(limited(open_source("simulated", seed=3, defect_share=1.0), 2))
    assert [one.truth for one in found].count("good") == 0
    assert found == take(limited(open_source("simulated", seed=3, defect_share=1.0), 2))


def test_a_virtual_lines_file_follows_the_simulated_sources_name(tmp_path: Path) -> None:
    (tmp_path / "line.yaml").write_text("size_px: 128\ndefects: {dent: {rate: 1.0}}")
    found = take(limited(open_source(f"simulated:{tmp_path / 'line.yaml'}", seed=3), 2))
    assert [one.truth for one in found] == ["dent", "dent"]
    with pytest.raises(TrialsightError, match=r"none\.yaml does not exist"):
        take(open_source(f"simulated:{tmp_path / 'none.yaml'}"))


UNKNOWN = {
    "nothing of that name": ("nothing", "neither a folder nor a source .*simulated"),
    "no GenICam library": ("genicam:maker.cti", r"needs? harvesters.*trialsight\[genicam\]"),
}


@pytest.mark.parametrize(("name", "message"), UNKNOWN.values(), ids=UNKNOWN)
def test_sources_that_can_not_be(name: str, message: str) -> None:
    with pytest.raises(TrialsightError, match=message):
        open_source(name)


def test_a_film_is_taken_frame_by_frame_and_ends(tmp_path: Path) -> None:
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"MJPG"), 5, (64, 48))
    for gray in (40, 120, 200):
        writer.write(np.full((48, 64, 3), gray, np.uint8))
    writer.release()
    found = take(open_source(str(film), encode="png"))
    assert [one.part for one in found] == ["film-000001", "film-000002", "film-000003"]
    means = [cv2.imdecode(np.frombuffer(one.data, np.uint8), cv2.IMREAD_GRAYSCALE).mean() for one in found]
    assert means == pytest.approx([40, 120, 200], abs=3)
    taken = {one.origin for one in found[:2]}
    assert [one.part for one in take(open_source(str(film)), taken.__contains__)] == ["film-000003"]
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    with pytest.raises(TrialsightError, match=r"broken\.mp4 can't be read as a film"):
        take(open_source(str(tmp_path / "broken.mp4")))


@contextmanager
def network_camera(pictures: int) -> Iterator[str]:
    """MJPEG over HTTP, as network cameras give it; each connection ends after so many pictures."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=cut")
            self.end_headers()
            for number in range(pictures):
                jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 60 + 20 * number, np.uint8))[1].tobytes()
                head = f"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                with contextlib.suppress(OSError):
                    self.wfile.write(head.encode() + jpeg + b"\r\n")

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/video.mjpg"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_network_camera_that_goes_away_is_opened_again() -> None:
    with network_camera(pictures=4) as url:
        source = open_source(url)
        assert source.live
        stop = threading.Event()
        found = []
        for one in source.frames(lambda _: False, stop):
            found.append(one)
            if len(found) == 6:  # more than one connection gives
                stop.set()
    assert len({one.part for one in found}) == 6
    assert {one.content_type for one in found} == {"image/jpeg"}


def test_the_spool_gives_frames_in_order_and_keeps_them_until_done(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1000)
    for number in range(3):
        spool.put(frame(number))
    first = spool.first()
    assert first.frame.part == "P-0"
    assert spool.first() == first
    spool.done(first.seq)
    spool.close()
    again = Spool(tmp_path, 1000)
    assert again.first().frame.part == "P-1"
    assert again.first().key != first.key
    again.close()


def test_the_oldest_make_room_and_are_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 100)
    lost = [spool.put(frame(number, size=40)) for number in range(4)]
    assert lost == [0, 0, 1, 1]
    assert spool.first().frame.part == "P-2"
    assert (spool.backlog().frames, spool.backlog().bytes, spool.backlog().lost) == (2, 80, 2)
    assert not spool.has_room(40)
    assert spool.put(frame(9, size=500)) == 2
    assert spool.first().frame.part == "P-9"
    spool.close()


def test_a_frame_that_was_taken_is_known_by_its_origin(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1000)
    spool.put(frame(1, origin="a"))
    spool.done(spool.first().seq)
    assert spool.took("a")
    assert not spool.took("b")
    spool.forget()
    assert not spool.took("a")
    spool.close()


def test_two_agents_can_not_share_a_buffer(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1000)
    with pytest.raises(TrialsightError, match="another agent"):
        Spool(tmp_path, 1000)
    spool.close()


def test_an_agent_tells_how_it_is_and_its_clock_is_measured(promoted: Home, serve, tmp_path: Path) -> None:
    """Three seconds fast, with frames waiting and frames lost; then nothing more is heard of it."""

    def now() -> datetime:
        read = datetime.now(UTC) + timedelta(seconds=3)
        time.sleep(0.05)  # as a busy machine may: the round trip must cover it
        return read

    spool = Spool(tmp_path, 100)
    with serve(promoted) as service, Client(str(service.base_url), patience_s=0) as client:
        reporter = Reporter(client, spool, "L1", "top", "video:0", now=now)
        clock = reporter.report()
        assert clock is not None
        assert clock.offset_ms == pytest.approx(3000, abs=clock.round_trip_ms / 2 + 1)
        for number in range(3):
            spool.put(frame(number, size=40))
        reporter.report()
        (seen,) = service.get("/v1/cameras").json()
        assert (seen["line"], seen["view"], seen["source"]) == ("L1", "top", "video:0")
        assert (seen["waiting_frames"], seen["waiting_bytes"], seen["lost"]) == (2, 80, 1)
        assert (seen["offset_ms"], seen["faults"]) == (clock.offset_ms, ["clock", "lost"])
        assert datetime.fromisoformat(seen["last_frame_at"]) == spool.last_at()
        reporter.report()
        (seen,) = service.get("/v1/cameras").json()
        assert seen["faults"] == ["clock"], "none was lost since"
        page = service.get("/models").text
        assert "Clock is off" in page
        assert f"{seen['offset_ms']:+.0f} ms" in page
        with closing(sqlite3.connect(promoted.database)) as database:
            database.execute("UPDATE cameras SET reported_at = '2026-01-01 00:00:00'")
            database.commit()
        assert service.get("/v1/cameras").json()[0]["faults"] == ["silent", "clock"]
        away = Reporter(client, spool, "no such line", "top", "video:0")
        assert away.report() is None
    with Client("http://127.0.0.1:9") as nobody:
        assert Reporter(nobody, spool, "L1", "top", "video:0").report() is None, "no fault of the camera's"
    spool.close()


@contextmanager
def gateway(port_of: Callable[[], int | None], moods: random.Random) -> Iterator[str]:
    """A network between agent and service: slow, cut before or after the answer, or away, by turns."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)

    def carry(near: socket.socket) -> None:
        mood, port = moods.choice(["fine"] * 6 + ["slow", "cut before", "cut after"]), port_of()
        with near, contextlib.suppress(OSError):
            if port is None or mood == "cut before":
                return
            with socket.create_connection(("127.0.0.1", port), timeout=5) as far:
                near.settimeout(0.05)
                far.settimeout(0.05)
                until = time.monotonic() + 3
                while time.monotonic() < until and not stop.is_set():
                    for one, other in ((near, far), (far, near)):
                        with contextlib.suppress(TimeoutError):
                            if not (data := one.recv(65536)):
                                return
                            if mood == "slow":
                                time.sleep(0.05)
                            if mood == "cut after" and one is far:
                                return
                            other.sendall(data)

    def accept() -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                threading.Thread(target=carry, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join()
        listener.close()


def serve_on(home: Home, log: Path) -> tuple["subprocess.Popen[str]", int]:
    """A service with room for two frames, so that it is full now and then."""
    environment = os.environ | {"TRIALSIGHT_QUEUE_LIMIT": "2"}
    command = [TRIALSIGHT, "serve", "--home", str(home.root), "--port", "0"]
    with log.open("a") as errors:
        start = errors.tell()
        process = subprocess.Popen(command, stderr=errors, stdout=subprocess.DEVNULL, text=True, env=environment)
    for _ in range(1200):
        with log.open() as said:
            said.seek(start)
            for line in said:
                if '"listening"' in line:
                    return process, int(json.loads(line)["url"].rpartition(":")[2])
        time.sleep(0.05)
    raise AssertionError(f"the service did not start: {log.read_text()}")


@pytest.mark.timeout(4 * 3600 if LONG else 600)
def test_each_frame_is_accepted_once_and_in_order_through_kills_and_cuts(
    promoted: Home, good: bytes, tmp_path: Path
) -> None:
    """Service and agent are killed again and again behind a bad network while files come into the watched folder."""
    chance = random.Random(4)
    folder, shots = tmp_path / "hot", tmp_path / "shots.jsonl"
    folder.mkdir()
    port: int | None = None
    agent_words = ["camera", "--source", str(folder), "--watch", "--interval", "0", "--json", "--home", str(tmp_path)]

    def drop() -> None:
        for number in range(FRAMES):
            temporary = folder / f".{number:05d}.png"
            temporary.write_bytes(good + number.to_bytes(4, "big"))  # bytes after the end are ignored, the hash is not
            os.utime(temporary, ns=(number * 10**6, 10**18 + number * 10**6))
            temporary.rename(folder / f"{number:05d}.png")
            time.sleep(0.002)

    def stored() -> list[str]:
        with closing(sqlite3.connect(f"file:{promoted.database}?mode=ro", uri=True)) as database:
            return [row[0] for row in database.execute("SELECT part FROM frames ORDER BY seq")]

    camera = threading.Thread(target=drop)
    with gateway(lambda: port, chance) as url, shots.open("w") as out:
        server, port = serve_on(promoted, tmp_path / "serve.log")
        agent = subprocess.Popen([TRIALSIGHT, *agent_words, "--url", url], stdout=out, stderr=subprocess.DEVNULL)
        camera.start()
        try:
            kills = time.monotonic() + 2
            while len(set(stored())) < FRAMES:
                time.sleep(0.1)
                if time.monotonic() < kills:
                    continue
                if chance.random() < 0.5:
                    agent.kill()
                    agent.wait()
                    command = [TRIALSIGHT, *agent_words, "--url", url]
                    agent = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
                else:
                    port = None
                    server.kill()
                    server.wait()
                    server, port = serve_on(promoted, tmp_path / "serve.log")
                kills = time.monotonic() + chance.uniform(3, 8) * (4 if LONG else 1)
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(60) == 0
            answered = httpx.get(f"http://127.0.0.1:{port}/v1/cameras").json()
            assert [(one["waiting_frames"], one["lost"]) for one in answered] == [(0, 0)]
        finally:
            camera.join()
            for process in (agent, server):
                process.kill()
                process.wait()
    assert stored() == [f"hot-{number:05d}" for number in range(FRAMES)]
