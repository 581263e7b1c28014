"""Thresholds that a person chooses: verdicts go by them at once, after a restart, and back; nobody is overwritten."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from typing import Any

import httpx
import pytest

from trialsight.home import Home
from trialsight_serving.access.keys import make_key
from trialsight_serving.access.principal import Role
from trialsight_serving.settings import Settings
from trialsight_serving.store.audit import entries
from trialsight_serving.store.database import open_database
from trialsight_serving.store.tables import ORGANISATION

Serve = Callable[..., AbstractContextManager[httpx.Client]]
URL = "/v1/recipes/blob/thresholds"


def verdict(client: httpx.Client, data: bytes, part: str) -> tuple[str, float, float]:
    answer = client.post(f"/v1/lines/L1/frames?part={part}", content=data, headers={"Content-Type": "image/png"})
    said = answer.json()
    return said["verdict"], said["thresholds"]["t1"], said["thresholds"]["t2"]


def test_verdicts_go_by_what_was_saved_at_once_after_a_restart_and_back(
    promoted: Home, serve: Serve, frame: Callable[..., bytes]
) -> None:
    grey = frame(blob=30, seed=3)
    with serve(promoted) as client:
        assert verdict(client, grey, "P-1") == ("review", 20, 40)
        now = client.get(URL).json()
        assert (now["thresholds"], now["variant"], now["based_on"]) == ({"t1": 20, "t2": 40}, "fp32", None)
        wanted = {"model_version": "1", "based_on": None, "reason": "less to look at", "t1": 35.5, "t2": 50}
        costs = {"escape": 80, "overkill": 8, "review": 1, "defect_rate": 0.02}
        saved = client.put(URL, json=wanted | {"costs": costs}).json()
        assert verdict(client, grey, "P-2") == ("pass", 35.5, 50)
        assert (saved["thresholds"], saved["costs"]) == ({"t1": 35.5, "t2": 50}, costs)
        recipe = client.get("/v1/recipes/blob").json()
        assert saved["based_on"] == recipe["version"]
        assert recipe["content"]["product"] == "plate", "the recipe that the model was trained by"
        assert client.get("/v1/models/blob").json()["model"]["thresholds"]["t1"] == 35.5

        refused = client.put(URL, json=wanted | {"t1": 1})
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:trialsight:problem:changed-meanwhile")
    with serve(promoted) as client:
        assert verdict(client, grey, "P-3") == ("pass", 35.5, 50)
        client.post("/v1/models/blob/promote", json={"version": "2", "reason": "newer"})
        assert verdict(client, grey, "P-4") == ("reject", 10, 25), "another version has those of its calibration"
        client.post("/v1/models/blob/rollback", json={"reason": "older"})
        assert verdict(client, grey, "P-5") == ("pass", 35.5, 50)
        back = {"model_version": "1", "based_on": saved["based_on"], "reason": "too many escapes"}
        now = client.put(URL, json=back).json()
        assert verdict(client, grey, "P-6") == ("review", 20, 40)
        assert [(one["t1"], one["t2"], one["reason"]) for one in now["history"]] == [
            (None, None, ""),
            (35.5, 50, "less to look at"),
        ]
    with closing(open_database(Settings(home=promoted.root))) as database, database.read() as connection:
        said = [one for one in entries(connection, ORGANISATION) if one.what == "thresholds.chosen"]
    assert [(one.old["t1"], one.new["t1"], one.new["reason"]) for one in said] == [
        (20, 35.5, "less to look at"),
        (35.5, 20, "too many escapes"),
    ]


@pytest.mark.parametrize(
    ("change", "status", "problem"),
    [
        ({"t1": 50, "t2": 40}, 422, "request-invalid"),
        ({"t2": None}, 422, "request-invalid"),
        ({"reason": ""}, 422, "request-invalid"),
        ({"model_version": "2"}, 409, "changed-meanwhile"),
        ({"t1": 110, "t2": 120}, 409, "defect-would-pass"),
    ],
)
def test_what_would_be_wrong_is_refused_and_changes_nothing(
    shared: httpx.Client, good: bytes, change: dict[str, Any], status: int, problem: str
) -> None:
    wanted = {"model_version": "1", "based_on": None, "reason": "why not", "t1": 10, "t2": 20} | change
    answer = shared.put(URL, json=wanted)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, problem), answer.text
    assert verdict(shared, good, "P-1") == ("pass", 20, 40)
    assert shared.get("/v1/recipes/blob").status_code == 404


def test_scores_are_parted_by_what_people_decided(shared: httpx.Client, frame: Callable[..., bytes]) -> None:
    scores = {}
    for part, blob, decision in (
        ("S-1", 0, "confirm"),
        ("S-2", 30, "overrule_good"),
        ("S-3", 31, "confirm"),
        ("S-4", 10, "missed_defect"),
        ("S-5", 32, "unsure"),
        ("S-6", 12, None),
    ):
        answer = shared.post(
            f"/v1/lines/L1/frames?part={part}", content=frame(blob=blob), headers={"Content-Type": "image/png"}
        ).json()
        scores[part] = float(f"{answer['score']:.6g}")
        if decision:
            shared.post(f"/v1/parts/{answer['part_id']}/decisions", json={"decision": decision})
    found = shared.get("/v1/recipes/blob/scores").json()
    assert found["whole"] is True
    assert found["good"] == [scores["S-1"], scores["S-2"]]
    assert found["defective"] == [scores["S-4"], scores["S-3"]]
    assert {scores["S-5"], scores["S-6"]} <= set(found["undecided"])


def test_a_reviewer_may_look_and_not_change(promoted: Home, serve: Serve) -> None:
    with closing(open_database(Settings(home=promoted.root))) as database, database.write() as connection:
        key = make_key(connection, Role.REVIEWER, "Qi", who="test")
    with serve(promoted, host="0.0.0.0") as client:
        client.headers["Authorization"] = f"Bearer {key}"
        now = client.get(URL)
        assert now.status_code == 200
        wanted = {"model_version": "1", "based_on": None, "reason": "me too", "t1": 1, "t2": 2}
        assert client.put(URL, json=wanted).status_code == 403
        assert client.get(URL).json() == now.json()
