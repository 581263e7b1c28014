"""Decisions, second opinions, masks and labels over HTTP."""

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from trialsight.home import Home
from trialsight_serving.access.keys import make_key
from trialsight_serving.access.principal import Role
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import open_database

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
Decide = Callable[..., httpx.Response]


@pytest.fixture
def keys(promoted: Home) -> dict[str, dict[str, str]]:
    """Headers of three reviewers and of an engineer who posts."""
    database = open_database(Settings(home=promoted.root))
    with database.write() as connection:
        made = {name: make_key(connection, Role.REVIEWER, name, who="test") for name in ("Mei", "Jun", "Lan")}
        made["Tao"] = make_key(connection, Role.ENGINEER, "Tao", who="test")
    database.close()
    return {name: {"X-API-Key": key} for name, key in made.items()}


@pytest.fixture
def client(promoted: Home, keys: object, serve: Callable[..., Any]) -> Iterator[httpx.Client]:
    with serve(promoted, host="0.0.0.0") as client:
        yield client


@pytest.fixture
def part(client: httpx.Client, keys: dict[str, dict[str, str]], bad: bytes) -> dict[str, Any]:
    found: dict[str, Any] = client.post(FRAMES, content=bad, headers=PNG | keys["Tao"], params={"part": "P-1"}).json()
    return found


@pytest.fixture
def decide(client: httpx.Client, keys: dict[str, dict[str, str]], part: dict[str, Any]) -> Decide:
    """`decide("Mei", "confirm", …)`"""

    def post(who: str, decision: str, **more: str) -> httpx.Response:
        body = {"decision": decision, **more}
        return client.post(f"/v1/parts/{part['part_id']}/decisions", json=body, headers=keys[who])

    return post


def stands(client: httpx.Client, keys: dict[str, dict[str, str]]) -> tuple[str, str | None]:
    (found,) = client.get("/v1/parts", headers=keys["Mei"]).json()["parts"]
    return found["review"], found["decision"]


def test_the_same_decision_sent_again_is_stored_once(
    client: httpx.Client, keys: dict[str, dict[str, str]], decide: Decide, part: dict[str, Any]
) -> None:
    answers = [decide("Mei", "confirm", key="pressed-once") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = decide("Mei", "unsure", key="pressed-once")
    assert (other.status_code, other.json()["type"]) == (409, "urn:trialsight:problem:key-reused")
    assert decide("Jun", "confirm", key="pressed-once").status_code == 409
    assert len(client.get(f"/v1/parts/{part['part_id']}", headers=keys["Mei"]).json()["decisions"]) == 1
    assert 'trialsight_decisions_total{decision="confirm"} 1.0' in client.get("/metrics", headers=keys["Tao"]).text


def test_two_who_disagree_wait_for_a_third(
    client: httpx.Client, keys: dict[str, dict[str, str]], decide: Decide, part: dict[str, Any]
) -> None:
    decide("Mei", "confirm", defect_class="dent")
    assert stands(client, keys) == ("decided", "confirm")
    decide("Jun", "overrule_good")
    assert stands(client, keys) == ("disagreed", "overrule_good")
    labels = client.get(f"/v1/parts/{part['part_id']}/labels", headers=keys["Tao"]).json()
    assert (labels["outcome"], labels["defect_class"]) == (None, None)
    waiting = client.get("/v1/parts", params={"review": "disagreed"}, headers=keys["Lan"]).json()["parts"]
    assert [one["part"] for one in waiting] == ["P-1"]
    decide("Lan", "missed_defect", defect_class="scratch")
    assert stands(client, keys) == ("decided", "missed_defect")
    labels = client.get(f"/v1/parts/{part['part_id']}/labels", headers=keys["Tao"]).json()
    assert (labels["outcome"], labels["defect_class"]) == ("defect", "scratch")


def test_who_is_unsure_asks_for_a_second_reviewer(
    client: httpx.Client, keys: dict[str, dict[str, str]], decide: Decide
) -> None:
    decide("Mei", "unsure")
    assert stands(client, keys) == ("unsure", "unsure")
    decide("Jun", "overrule_good")
    assert stands(client, keys) == ("decided", "overrule_good")
    mine = {who: client.get("/v1/parts", params={"review": "mine"}, headers=keys[who]).json()["parts"] for who in keys}
    assert {who for who, parts in mine.items() if parts} == {"Mei", "Jun"}


def test_an_undo_is_an_event_and_only_of_ones_own(
    client: httpx.Client, keys: dict[str, dict[str, str]], decide: Decide, part: dict[str, Any]
) -> None:
    made = decide("Mei", "confirm", defect_class="dent").json()
    assert decide("Jun", "undo", undoes=made["key"]).json()["type"].endswith("nothing-to-undo")
    assert decide("Mei", "undo").status_code == 409
    assert decide("Mei", "undo", undoes=made["key"]).status_code == 201
    assert stands(client, keys) == ("unreviewed", None)
    shown = client.get(f"/v1/parts/{part['part_id']}", headers=keys["Mei"]).json()
    assert [one["decision"] for one in shown["decisions"]] == ["confirm", "undo"]
    assert shown["defect_class"] is None


def test_a_decision_about_what_was_seen_leaves_a_newer_frame_open(
    client: httpx.Client, keys: dict[str, dict[str, str]], decide: Decide, part: dict[str, Any], good: bytes
) -> None:
    client.post(FRAMES, content=good, headers=PNG | keys["Tao"], params={"part": "P-1"})
    assert decide("Mei", "confirm", frame_id=part["id"]).status_code == 201
    assert stands(client, keys) == ("unreviewed", None)
    assert decide("Mei", "confirm", frame_id="0" * 32).json()["type"].endswith("frame-not-found")


def test_bulk_is_one_transaction_that_names_what_it_could_not_take(
    client: httpx.Client, keys: dict[str, dict[str, str]], part: dict[str, Any]
) -> None:
    parts = [{"part_id": part["part_id"]}, {"part_id": "0" * 32}]
    body = {"key": "bulk-one", "parts": parts, "decision": "overrule_good"}
    answers = [client.post("/v1/parts/decisions", json=body, headers=keys["Mei"]).json() for _ in range(2)]
    for answer in answers:
        assert (answer["stored"], [one["part_id"] for one in answer["refused"]]) == (1, ["0" * 32])
    assert len(client.get(f"/v1/parts/{part['part_id']}", headers=keys["Mei"]).json()["decisions"]) == 1
    body = {"key": "bulk-two", "parts": parts[:1], "decision": "undo", "undoes": "bulk-one"}
    assert client.post("/v1/parts/decisions", json=body, headers=keys["Mei"]).json()["stored"] == 1
    assert stands(client, keys) == ("unreviewed", None)


def picture(shape: tuple[int, ...], *values: int) -> bytes:
    image = np.resize(np.array(values, np.uint8), shape)
    return cv2.imencode(".png", image)[1].tobytes()


BAD_MASKS = {
    "no image": (b"a mask", 422),
    "nothing": (b"", 422),
    "another size": (picture((64, 63), 0, 255), 422),
    "grays": (picture((64, 64), 0, 100, 255), 422),
    "colours": (picture((64, 64, 3), 0, 255), 422),
    "cut short": (picture((64, 64), 0, 255)[:60], 422),
    "a JPEG": (cv2.imencode(".jpg", np.zeros((64, 64), np.uint8))[1].tobytes(), 422),
    "larger than any mask": (b"\x89PNG\r\n\x1a\n" + b"0" * (9 * 2**20), 413),
}


@pytest.mark.parametrize(("data", "status"), BAD_MASKS.values(), ids=BAD_MASKS.keys())
def test_what_is_no_mask_of_the_frame_is_refused(shared: httpx.Client, bad: bytes, data: bytes, status: int) -> None:
    frame = shared.post(FRAMES, content=bad, headers=PNG).json()
    answer = shared.put(f"/v1/frames/{frame['id']}/mask", content=data, headers=PNG)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert shared.get(f"/v1/frames/{frame['id']}/mask").status_code == 404


def test_the_newest_mask_is_the_label_and_an_empty_one_says_that_there_is_nothing(
    client: httpx.Client, keys: dict[str, dict[str, str]], part: dict[str, Any]
) -> None:
    url = f"/v1/frames/{part['id']}/mask"
    for who, mask in (("Mei", picture((64, 64), 255, 0)), ("Jun", picture((64, 64), 0))):
        assert client.put(url, content=mask, headers=PNG | keys[who]).status_code == 200
    (label,) = client.get(f"/v1/parts/{part['part_id']}/labels", headers=keys["Tao"]).json()["frames"]
    assert (label["mask"]["drawn_by"], label["mask"]["area_px"]) == ("Jun", 0)
    drawn = client.get(url, headers=keys["Tao"]).content
    assert not cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_UNCHANGED).any()


def test_the_reference_is_the_packages_good_golden_frame(
    client: httpx.Client, keys: dict[str, dict[str, str]], part: dict[str, Any], promoted: Home
) -> None:
    answer = client.get(f"/v1/frames/{part['id']}/reference", headers=keys["Mei"])
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == (promoted.package("blob", "1") / "golden" / "good.png").read_bytes()
