"""The clients against a service that is away, busy and back: the frame arrives once."""

import asyncio
import contextlib
import inspect
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from trialsight.home import Home
from trialsight_serving.client import AsyncClient, Client, ServiceError, StreamEvent

DOCUMENT = Path(__file__).parents[2] / "docs" / "client.md"


@dataclass
class Moody:
    """A server that answers with `moods`, one after the other (0: it hangs up), and notes the headers it was sent."""

    url: str = ""
    moods: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    seen: list[dict[str, str]] = field(default_factory=list)

    def sent(self, name: str) -> list[str]:
        return [headers[name] for headers in self.seen]


@pytest.fixture
def moody() -> Iterator[Moody]:
    told = Moody()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            told.seen.append(dict(self.headers))
            status, headers = told.moods.pop(0)
            if status == 0:
                self.close_connection = True
                return
            body = b'{"detail": "busy", "remedy": "wait", "type": "urn:x"}'
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


Ask = Callable[..., ServiceError]


@pytest.fixture(params=["waiting", "awaited"])
def ask(request: pytest.FixtureRequest, moody: Moody) -> Ask:
    """`ask(method, *args, waits=…, **client's)`: the ServiceError that a method of either client ends with."""

    def waiting(method: str, *args: Any, waits: list[float], given: dict[str, Any], **more: Any) -> None:
        with Client(moody.url, wait=lambda pause: waits.append(pause) or True, **given) as client:
            getattr(client, method)(*args, **more)

    async def awaited(method: str, *args: Any, waits: list[float], given: dict[str, Any], **more: Any) -> None:
        async def wait(pause: float) -> bool:
            waits.append(pause)
            return True

        async with AsyncClient(moody.url, wait=wait, **given) as client:
            await getattr(client, method)(*args, **more)

    def run(method: str, *args: Any, waits: list[float], given: dict[str, Any] | None = None, **more: Any):  # type: ignore[no-untyped-def]
        with pytest.raises(ServiceError) as refused:
            if request.param == "waiting":
                waiting(method, *args, waits=waits, given=given or {}, **more)
            else:
                asyncio.run(awaited(method, *args, waits=waits, given=given or {}, **more))
        return refused.value

    return run


FRAME = ("post_frame", "L1", b"x", "image/png")


def test_it_sends_again_under_the_same_key_until_it_is_refused_for_good(moody: Moody, ask: Ask) -> None:
    moody.moods += [(429, {"Retry-After": "1"}), (503, {}), (0, {}), (507, {}), (415, {})]
    waits: list[float] = []
    told: list[str] = []
    refused = ask(*FRAME, waits=waits, given={"patience_s": None, "on_retry": lambda why, _: told.append(why[:3])})
    assert (refused.status, refused.kind, refused.remedy) == (415, "urn:x", "wait")
    assert len(moody.seen) == 5
    assert len(set(moody.sent("Idempotency-Key"))) == 1
    floors = (1.0, 0.5, 1.0, 2.0)
    assert all(floor <= wait <= 1.25 * floor for wait, floor in zip(waits, floors, strict=True)), waits
    assert [told[0], told[1], told[3]] == ["429", "503", "507"]


def test_retry_after_may_be_a_date(moody: Moody, ask: Ask) -> None:
    at = datetime.now(UTC) + timedelta(seconds=8)
    moody.moods += [(503, {"Retry-After": format_datetime(at, usegmt=True)}), (415, {})]
    waits: list[float] = []
    ask(*FRAME, waits=waits)
    assert 5 < waits[0] < 11


def test_a_deadline_ends_the_tries_and_each_says_what_is_left(moody: Moody, ask: Ask) -> None:
    moody.moods += [(429, {}), (429, {}), (429, {"Retry-After": "30"})]
    refused = ask(*FRAME, waits=[], deadline_ms=5000)
    assert refused.status == 429
    left = [int(ms) for ms in moody.sent("X-Deadline-Ms")]
    assert len(left) == 3
    assert 5000 >= left[0] >= left[1] >= left[2] > 0  # nothing waits here: two may come within a millisecond
    assert left[2] < 5000


def test_what_may_have_been_done_is_not_done_twice(moody: Moody, ask: Ask) -> None:
    moody.moods += [(503, {}), (0, {})]
    lost = ask("promote", "blob", "2", "better", waits=[])
    assert lost.status is None
    assert len(moody.seen) == 2, "a refusal is sent again, a lost answer is not"


def test_patience_ends() -> None:
    with Client("http://127.0.0.1:9", patience_s=0.0) as client:
        assert not client.ready()
        with pytest.raises(ServiceError, match="does not answer") as gone:
            client.post_frame("L1", b"x", "image/png")
    assert gone.value.status is None


def test_both_clients_have_the_same_surface() -> None:
    surfaces = [
        {
            name: [str(parameter) for parameter in inspect.signature(inspect.unwrap(value)).parameters.values()]
            for name, value in vars(kind).items()
            if callable(value) and not name.startswith("_")
        }
        for kind in (Client, AsyncClient)
    ]
    assert surfaces[0] == surfaces[1]
    assert {"post_frame", "parts", "decide", "promote", "ready", "close"} <= surfaces[0].keys()


def test_a_frame_and_its_answer(promoted: Home, serve: Callable[..., httpx.Client], bad: bytes) -> None:
    with serve(promoted) as http, Client(str(http.base_url)) as client:
        assert client.ready()
        result = client.post_frame(
            "L1", bad, "image/png", part="P-1", view="top", trial="T1", deadline_ms=5000, key="k"
        )
        again = client.post_frame("L1", bad, "image/png", part="P-1", key="k")
        assert (result.verdict, result.part, result.view, result.trial) == ("reject", "P-1", "top", "T1")
        assert again.id == result.id
        assert client.frame(result.id).score == result.score
        assert client.image(result.id) == bad
        found = client.defect_map(result.id)
        assert (found.shape, found.dtype) == ((8, 8), np.float32)
        assert found.max() == pytest.approx(result.score, rel=1e-4)
        decided = client.decide(result.part_id, "confirm", defect_class="dent")
        assert client.part(result.part_id).decisions == [decided]
        assert [one.part for one in client.parts(verdict=["reject"], line="L1").parts] == ["P-1"]
        assert client.parts(until=result.received_at).parts == []
        assert [line.name for line in client.lines()] == ["L1"]
        assert client.models().models[0].version == "1"
        assert client.promote("blob", "2", "stricter").previous == "1"
        assert client.roll_back("blob", "too strict").version == "1"
        assert [one.version for one in client.model("blob").versions][-1] == "1"
        assert client.me().role == "administrator"
        assert client.save_recipe("plate", {"name": "plate"}) == client.recipes()[0]
        assert client.defect_classes()[0].name == "scratch"


@pytest.mark.parametrize("awaited", [False, True], ids=["waiting", "awaited"])
def test_the_stream_goes_on_over_a_restart_of_the_service(
    promoted: Home, serve: Callable[..., httpx.Client], frame: Callable[..., bytes], awaited: bool
) -> None:
    with serve(promoted) as http:
        url = str(http.base_url)
        with Client(url) as poster:
            posted = [poster.post_frame("L1", frame(seed=n), "image/png", part=f"P-{n}").id for n in range(2)]
        heard, again = Heard(), threading.Event()
        listener = threading.Thread(target=heard.await_ if awaited else heard.wait, args=(url, again))
        listener.start()
        while len(heard.events) < 2:
            threading.Event().wait(0.02)
    assert again.wait(60), "a service that stops ends the stream"
    with serve(promoted, port=httpx.URL(url).port) as http, Client(url) as poster:
        posted.append(poster.post_frame("L1", frame(blob=100), "image/png").id)
        listener.join(60)
        assert [event.frame.id for event in heard.events] == posted
        assert heard.events[-1].frame.verdict == "reject"
        with contextlib.closing(poster.stream(after=heard.events[0].id)) as rest:
            assert [next(rest).id for _ in range(2)] == [event.id for event in heard.events[1:]]
        with pytest.raises(ServiceError, match="no line") as refused:
            next(poster.stream("L9"))
        assert refused.value.status == 404


@dataclass
class Heard:
    """Three events of all lines, by either client."""

    events: list[StreamEvent] = field(default_factory=list)

    def wait(self, url: str, again: threading.Event) -> None:
        with Client(url, on_retry=lambda *_: again.set()) as client:
            for event in islice(client.stream(after="0"), 3):
                self.events.append(event)

    def await_(self, url: str, again: threading.Event) -> None:
        async def listen() -> None:
            client = AsyncClient(url, on_retry=lambda *_: again.set())
            async with client, contextlib.aclosing(client.stream(after="0")) as stream:
                async for event in stream:
                    self.events.append(event)
                    if len(self.events) == 3:
                        return

        asyncio.run(listen())


def test_masks_labels_and_jobs(promoted: Home, serve: Callable[..., httpx.Client], bad: bytes) -> None:
    drawn = np.zeros((64, 64), np.bool_)
    drawn[8:24, 40:56] = True
    with serve(promoted) as http, Client(str(http.base_url)) as client:
        result = client.post_frame("L1", bad, "image/png", part="P-1")
        with pytest.raises(ServiceError) as nobody:
            client.mask(result.id)
        assert nobody.value.kind.endswith("mask-not-found")
        assert client.save_mask(result.id, drawn).area_px == 256
        assert np.array_equal(client.mask(result.id), drawn)
        client.decide(result.part_id, "confirm", defect_class="dent")
        labels = client.labels(result.part_id)
        assert (labels.outcome, labels.defect_class) == ("defect", "dent")
        assert [one.mask is not None for one in labels.frames] == [True]
        job = client.retrain("blob")
        assert client.retrain("blob").id == job.id, "one at a time"
        assert client.jobs("blob") == client.jobs(limit=1) == [client.job(job.id)] == [job]
        assert client.jobs("other") == []
        for file in (client.job_log, client.job_report):
            with pytest.raises(ServiceError, match="yet"):
                file(job.id)
        folder = promoted.jobs / job.id
        folder.mkdir(parents=True)
        (folder / "log.txt").write_text("学习: 20\n", encoding="utf-8")
        (folder / "comparison.html").write_text("<!doctype html>", encoding="utf-8")
        assert (client.job_log(job.id), client.job_report(job.id)) == ("学习: 20\n", "<!doctype html>")
        assert client.cancel_job(job.id).state == "cancelled"
        with pytest.raises(ServiceError, match="cancelled already") as ended:
            client.cancel_job(job.id)
        assert ended.value.status == 409


def test_the_document_s_example_runs(
    promoted: Home, serve: Callable[..., httpx.Client], bad: bytes, tmp_path: Path
) -> None:
    code, shown = re.findall(r"```(?:python)?\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S)
    (tmp_path / "bad.png").write_bytes(bad)
    with serve(promoted) as http:
        given = {"URL": str(http.base_url), "FRAME": str(tmp_path / "bad.png")}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | given)
    assert done.returncode == 0, done.stderr
    assert done.stdout == shown
