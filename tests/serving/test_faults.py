"""What the service does when things go wrong: a fault never becomes a pass, and never half a record."""

import asyncio
import hashlib
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import httpx

from trialsight.home import Home
from trialsight_serving.line import Arrival, model_of, take
from trialsight_serving.live import News
from trialsight_serving.service import open_service
from trialsight_serving.settings import Settings
from trialsight_serving.store.frames import FrameRecord
from trialsight_serving.store.tables import ORGANISATION

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
Serve = Callable[..., httpx.Client]


def slow_post(client: httpx.Client, data: bytes) -> socket.socket:
    """A post of which only the head and a few bytes have come."""
    url = client.base_url
    connection = socket.create_connection((url.host, url.port or 80), timeout=60)
    head = f"POST {FRAMES}?part=slow HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: image/png\r\n"
    connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data[:20])
    return connection


def test_a_full_line_answers_429_and_says_when_to_come_again(
    promoted: Home, serve: Serve, bad: bytes, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    with serve(promoted, queue_limit=1) as client:
        slow = slow_post(client, bad)
        eventually(lambda: client.get("/v1/lines").json()[0]["depth"] == 1)
        refused = client.post(FRAMES, content=bad, headers=PNG)
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:trialsight:problem:queue-full")
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/livez").status_code == 200
        slow.sendall(bad[20:])
        assert slow.recv(12) == b"HTTP/1.1 200"
        slow.close()
        eventually(lambda: client.get("/v1/lines").json()[0]["depth"] == 0)
        assert client.post(FRAMES, content=bad, headers=PNG).status_code == 200


def test_a_deadline_that_cannot_be_met_is_refused(promoted: Home, serve: Serve, bad: bytes) -> None:
    with serve(promoted) as client:
        refused = client.post(FRAMES, content=bad, headers=PNG | {"X-Deadline-Ms": "1"})
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:trialsight:problem:deadline")


def test_a_body_that_trickles_is_given_up(promoted: Home, serve: Serve, bad: bytes) -> None:
    with serve(promoted, body_timeout_s=0.2) as client:
        slow = slow_post(client, bad)
        assert slow.recv(12) == b"HTTP/1.1 408"
        slow.close()
        assert client.post(FRAMES, content=bad, headers=PNG).status_code == 200


def test_a_frame_whose_deadline_passed_in_the_queue_is_recorded_and_never_run(promoted: Home, bad: bytes) -> None:
    sha256 = hashlib.sha256(bad).hexdigest()
    arrival = Arrival(ORGANISATION, "L1", bad, sha256, "P-1", "default", "", None, datetime.now(UTC), 0.0)

    async def run() -> FrameRecord:
        async with open_service(Settings(home=promoted.root, workers=1), News()) as service:
            service.admission.inspecting.mean_s = 0.0  # nothing seems to wait, so the frame is admitted …
            model = await model_of(service, ORGANISATION, "L1", "default")
            with service.admission.admit("L1", deadline_s=0.0) as ticket:
                return await take(service, model, ticket, arrival)  # … and is late when its turn comes

    record = asyncio.run(run())
    assert record.verdict == "no_verdict"
    assert record.reason is not None
    assert record.reason.startswith("late")
    assert (record.score, record.map_sha256) == (None, None)
    assert record.seq == 1
    assert set(record.timings_ms) == {"read", "queue", "store"}


def test_without_a_place_for_its_files_a_frame_gets_no_verdict(promoted: Home, serve: Serve, bad: bytes) -> None:
    promoted.images.write_text("a file where the folder should be")
    with serve(promoted) as client:
        answer = client.post(FRAMES, content=bad, headers=PNG)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:trialsight:problem:store-unavailable")
        assert client.get("/v1/parts").json()["parts"] == []
        promoted.images.unlink()
        assert client.post(FRAMES, content=bad, headers=PNG).json()["verdict"] == "reject"


def test_a_decision_without_end_is_cut_off(promoted: Home, serve: Serve, bad: bytes) -> None:
    with serve(promoted) as client:
        part = client.post(FRAMES, content=bad, headers=PNG).json()["part_id"]
        answer = client.post(f"/v1/parts/{part}/decisions", json={"decision": "confirm", "note": "x" * 70_000})
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
        assert client.get(f"/v1/parts/{part}").json()["decisions"] == []


def test_the_same_key_sent_many_times_at_once_is_one_frame(promoted: Home, serve: Serve, bad: bytes) -> None:
    answers: list[httpx.Response] = []
    with serve(promoted) as client:
        headers = PNG | {"Idempotency-Key": "one"}
        threads = [
            threading.Thread(target=lambda: answers.append(client.post(FRAMES, content=bad, headers=headers)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len(client.get("/v1/parts").json()["parts"]) == 1


def test_many_at_once_each_get_their_own_answer(promoted: Home, serve: Serve, frame: Callable[..., bytes]) -> None:
    answers: dict[int, httpx.Response] = {}
    with serve(promoted, queue_limit=64) as client:

        def post(number: int) -> None:
            data = frame(blob=100 if number % 2 else 0, seed=number)
            answers[number] = client.post(FRAMES, content=data, headers=PNG, params={"part": f"P-{number}"})

        threads = [threading.Thread(target=post, args=(number,)) for number in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number, answer in answers.items():
        body = answer.json()
        assert (body["part"], body["verdict"]) == (f"P-{number}", "reject" if number % 2 else "pass")


def test_a_fault_of_our_own_is_a_problem_too(promoted: Home, serve: Serve, bad: bytes) -> None:
    with serve(promoted) as client:
        posted = client.post(FRAMES, content=bad, headers=PNG).json()
        for path in promoted.images.rglob("*"):
            if path.is_file():
                path.write_bytes(b"rotten")
        answer = client.get(posted["map_url"], params={"bits": 8})
        assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
        assert client.get("/livez").status_code == 200
        for path in promoted.images.rglob("*"):
            if path.is_file():
                path.unlink()
        assert client.get(posted["image_url"]).status_code == 410
