"""The list, decisions, and the live stream."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from trialsight.home import Home

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}


@pytest.fixture
def client(promoted: Home, serve: Callable[..., httpx.Client]) -> Iterator[httpx.Client]:
    with serve(promoted, default_lines=("L1",)) as client:
        yield client


def post(client: httpx.Client, data: bytes, **query: str) -> dict[str, Any]:
    answer = client.post(FRAMES, content=data, headers=PNG, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def serials(client: httpx.Client, **query: Any) -> list[str]:
    return [part["part"] for part in client.get("/v1/parts", params=query).json()["parts"]]


def test_the_list_is_newest_first_and_filtered_by_the_query(client: httpx.Client, good: bytes, bad: bytes) -> None:
    post(client, good, part="P-1", trial="T1")
    post(client, bad, part="P-2", trial="T1", view="side")
    post(client, good, part="P-3")
    assert serials(client) == ["P-3", "P-2", "P-1"]
    assert serials(client, verdict="reject") == ["P-2"]
    assert serials(client, verdict=["pass", "reject"]) == ["P-3", "P-2", "P-1"]
    assert serials(client, trial="T1") == ["P-2", "P-1"]
    assert serials(client, view="side") == ["P-2"]
    assert serials(client, part="P-1") == ["P-1"]
    assert serials(client, line="L1", verdict="pass", trial="T1") == ["P-1"]
    assert serials(client, line="L2") == []


def test_pages_follow_each_other_without_gap_or_repeat(client: httpx.Client, good: bytes) -> None:
    for number in range(7):
        post(client, good, part=f"P-{number}")
    seen, cursor = [], None
    while True:
        page = client.get("/v1/parts", params={"limit": 3} | ({"after": cursor} if cursor else {})).json()
        seen += [part["part"] for part in page["parts"]]
        cursor = page["next"]
        if cursor is None:
            break
        post(client, good)  # new parts come in while somebody turns the pages
    assert seen == [f"P-{number}" for number in reversed(range(7))]


def test_a_part_holds_its_views_and_the_worst_verdict(client: httpx.Client, good: bytes, bad: bytes) -> None:
    top = post(client, bad, part="P-1", view="top")
    side = post(client, good, part="P-1", view="side")
    part = client.get(f"/v1/parts/{top['part_id']}").json()
    assert (part["part"], part["verdict"], part["line"]) == ("P-1", "reject", "L1")
    assert [(frame["id"], frame["view"]) for frame in part["frames"]] == [(side["id"], "side"), (top["id"], "top")]


def test_a_serial_in_any_script_with_any_sign(client: httpx.Client, good: bytes) -> None:
    serial = "零件/№ 7 ?&#%<script>"
    post(client, good, part=serial)
    assert serials(client, part=serial) == [serial]
    page = client.get("/").text
    assert "<script>" not in page.replace("<script type", "")


def test_decisions_are_kept_in_order_and_never_overwritten(client: httpx.Client, bad: bytes) -> None:
    part_id = post(client, bad, part="P-1")["part_id"]
    url = f"/v1/parts/{part_id}/decisions"
    first = client.post(url, json={"decision": "confirm", "note": "burr at 3 o'clock"})
    second = client.post(url, json={"decision": "overrule_good"})
    assert (first.status_code, second.status_code) == (201, 201)
    part = client.get(f"/v1/parts/{part_id}").json()
    assert part["decision"] == "overrule_good"
    assert [(made["decision"], made["note"], made["decided_by"]) for made in part["decisions"]] == [
        ("confirm", "burr at 3 o'clock", "local"),
        ("overrule_good", "", "local"),
    ]
    assert serials(client, review="unreviewed") == []
    assert 'trialsight_decisions_total{decision="confirm"} 1.0' in client.get("/metrics").text


BAD_DECISIONS = {
    "no such decision": ({"decision": "maybe"}, 422),
    "no decision": ({}, 422),
    "a field that is not known": ({"decision": "confirm", "verdict": "pass"}, 422),
    "a note without end": ({"decision": "confirm", "note": "x" * 2001}, 422),
}


@pytest.mark.parametrize(("body", "status"), BAD_DECISIONS.values(), ids=BAD_DECISIONS.keys())
def test_a_decision_that_is_none_is_a_problem(
    shared: httpx.Client, bad: bytes, body: dict[str, str], status: int
) -> None:
    part_id = post(shared, bad)["part_id"]
    answer = shared.post(f"/v1/parts/{part_id}/decisions", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    unknown = shared.post(f"/v1/parts/{'0' * 32}/decisions", json={"decision": "confirm"})
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:trialsight:problem:part-not-found")
    assert shared.get(f"/v1/parts/{part_id}").json()["decisions"] == []


def listen(client: httpx.Client, path: str, headers: dict[str, str], count: int, ready: threading.Event) -> list[Any]:
    """The next `count` frames of a stream, as (event id, result)."""
    frames, event_id = [], ""
    with client.stream("GET", path, headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line.startswith("id: "):
                event_id = line[4:]
                ready.set()
            elif line.startswith("data: "):
                frames.append((event_id, json.loads(line[6:])))
                if len(frames) == count:
                    break
    return frames


@pytest.mark.parametrize("path", ["/v1/lines/L1/stream", "/v1/stream"])
def test_the_stream_tells_results_as_they_are_stored(client: httpx.Client, good: bytes, bad: bytes, path: str) -> None:
    post(client, good, part="before")
    heard: list[Any] = []
    ready = threading.Event()
    thread = threading.Thread(target=lambda: heard.extend(listen(client, path, {}, 2, ready)))
    thread.start()
    assert ready.wait(60)
    posted = [post(client, bad, part="P-1"), post(client, good, part="P-2")]
    thread.join(60)
    assert [frame["id"] for _, frame in heard] == [frame["id"] for frame in posted]
    assert heard[0][1]["verdict"] == "reject"


def test_a_listener_that_comes_back_misses_nothing(client: httpx.Client, good: bytes) -> None:
    posted = [post(client, good, part=f"P-{number}")["id"] for number in range(5)]
    first = listen(client, "/v1/stream", {"Last-Event-ID": "0"}, 2, threading.Event())
    rest = listen(client, "/v1/stream", {"Last-Event-ID": first[-1][0]}, 3, threading.Event())
    assert [frame["id"] for _, frame in first + rest] == posted


def test_metrics_tell_frames_stages_models_and_refusals(client: httpx.Client, bad: bytes) -> None:
    post(client, bad)
    client.post(FRAMES, content=b"no image", headers=PNG)
    client.post("/v1/lines/typo/frames", content=bad, headers=PNG)
    text = client.get("/metrics").text
    for expected in (
        'trialsight_frames_total{line="L1",reason="score",verdict="reject"} 1.0',
        'trialsight_frames_refused_total{line="L1",problem="frame-not-an-image"} 1.0',
        'trialsight_frames_refused_total{line="unknown",problem="line-not-found"} 1.0',
        'trialsight_stage_seconds_count{stage="infer"} 1.0',
        'trialsight_queue_depth{line="L1"} 0.0',
        'trialsight_model_info{recipe="blob",version="1"} 1.0',
    ):
        assert expected in text


def test_the_openapi_document_shows_the_frames_answer(shared: httpx.Client) -> None:
    document = shared.get("/openapi.json").json()
    posted = document["paths"]["/v1/lines/{line}/frames"]["post"]
    assert set(posted["requestBody"]["content"]) == {
        "image/jpeg",
        "image/png",
        "image/bmp",
        "image/tiff",
        "multipart/form-data",
    }
    assert {"200", "400", "404", "409", "413", "415", "422", "429", "503", "507"} <= set(posted["responses"])
    (example,) = document["components"]["schemas"]["FrameOut"]["examples"]
    assert set(example) == set(document["components"]["schemas"]["FrameOut"]["properties"])
