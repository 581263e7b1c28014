"""What to look at next, and the escape rate from a random sample of the passes: by the list, API, page and command."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from trialsight.cli import app as cli
from trialsight.home import Home
from trialsight_serving.selection.audit import exact_interval
from trialsight_serving.selection.informative import pick

FRAMES, PNG = "/v1/lines/L1/frames", {"Content-Type": "image/png", "X-Deadline-Ms": "60000"}
Serve = Callable[..., httpx.Client]


@pytest.fixture
def client(promoted: Home, serve: Serve) -> Iterator[httpx.Client]:
    with serve(promoted, audit_rate=0.5) as client:
        yield client


def post(client: httpx.Client, data: bytes, part: str) -> str:
    posted = client.post(FRAMES, content=data, headers=PNG, params={"part": part})
    assert posted.status_code == 200, posted.text
    return posted.json()["part_id"]


def decide(client: httpx.Client, part_id: str, decision: str) -> None:
    assert client.post(f"/v1/parts/{part_id}/decisions", json={"decision": decision}).status_code == 201


INTERVALS = {  # Clopper-Pearson, 95 %: from published tables
    "none of ten": (0, 10, 0.0, 0.3085),
    "one of ten": (1, 10, 0.0025, 0.4450),
    "five of ten": (5, 10, 0.1871, 0.8129),
    "all of ten": (10, 10, 0.6915, 1.0),
    "three of a thousand": (3, 1000, 0.00062, 0.00874),
    "nothing seen": (0, 0, 0.0, 1.0),
}


@pytest.mark.parametrize(("hits", "n", "low", "high"), INTERVALS.values(), ids=INTERVALS)
def test_exact_intervals(hits: int, n: int, low: float, high: float) -> None:
    assert exact_interval(hits, n, 0.95) == pytest.approx((low, high), abs=6e-5)


def unit(*degrees: float) -> np.ndarray:
    turned = np.radians(degrees)
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


def test_near_a_threshold_and_unlike_what_is_known_comes_first() -> None:
    gaps, rows = np.array([0.5, 0.01, 0.5, 0.5]), unit(1, 1, 40, 41)
    order, novelty = pick(gaps, rows, unit(0), 4)
    assert set(order[:2]) == {1, 3}, "the uncertain one and the most novel one"
    assert novelty[order.index(3)] > 0.2
    assert novelty[order.index(2)] < 0.01, "once its like was picked it is no news"
    assert pick(np.array([np.nan, 0.3]), np.full((2, 0), np.nan, np.float32), unit(0)[:, :0], 2)[0] == [1, 0]


def test_the_queue_shows_what_tells_most(client: httpx.Client, promoted: Home, frame: Callable[..., bytes]) -> None:
    ids = {}
    for number, blob in enumerate((0, 19, 100, 38, 2)):  # thresholds at 20 and 40
        ids[f"P-{blob}"] = post(client, frame(blob=blob, seed=number), f"P-{blob}")
    decide(client, ids["P-0"], "confirm")
    listed = client.get("/v1/parts", params={"sort": "informative"}).json()
    serials = [one["part"] for one in listed["parts"]]
    assert (set(serials[:2]), set(serials), listed["next"]) == (
        {"P-19", "P-38"},
        {"P-19", "P-38", "P-100", "P-2"},
        None,
    )
    picks = client.get("/v1/selection/informative", params={"limit": 2}).json()
    assert [one["part"]["part"] for one in picks] == serials[:2]
    assert all(one["uncertainty"] < 0.15 for one in picks)
    page = client.get("/", params={"sort": "informative"}).text
    assert page.index(f"/parts/{ids[serials[0]]}") < page.index(f"/parts/{ids[serials[-1]]}")
    part = client.get(f"/parts/{ids[serials[0]]}", params={"sort": "informative"}).text
    assert f"/parts/{ids[serials[1]]}?sort=informative" in part, "the next one in this list"
    told = CliRunner().invoke(cli, ["select", "--home", str(promoted.root), "--count", "2", "--json"])
    assert [one["part"] for one in json.loads(told.stdout)["parts"]] == serials[:2]


def test_the_audit_sample_estimates_the_escape_rate(
    client: httpx.Client, promoted: Home, frame: Callable[..., bytes]
) -> None:
    for number in range(24):
        post(client, frame(seed=number), f"P-{number}")
    post(client, frame(blob=100), "flagged")
    with closing(sqlite3.connect(promoted.database)) as database:
        drawn = {
            serial
            for part_id, serial in database.execute("SELECT id, serial FROM parts WHERE verdict = 'pass'")
            if int(part_id[-4:], 16) < 0x8000
        }
    before = client.get("/v1/selection/audit").json()
    assert (before["passes"], before["sampled"], before["rate"]) == (24, len(drawn), None)
    sample = client.get("/v1/parts", params={"audit": "true", "limit": 50}).json()["parts"]
    assert {one["part"] for one in sample} == drawn
    for number, one in enumerate(sample[:4]):
        decide(client, one["id"], "missed_defect" if number == 0 else "confirm")
    # What comes to light outside of the sample was looked for, and says nothing about the rest.
    outside = next(one for one in client.get("/v1/parts").json()["parts"] if one["part"] not in drawn | {"flagged"})
    decide(client, outside["id"], "missed_defect")
    found = client.get("/v1/selection/audit", params={"line": "L1"}).json()
    assert (found["reviewed"], found["escapes"], found["rate"], found["total"]) == (4, 1, 0.25, 6.0)
    assert (found["low"], found["high"]) == pytest.approx((0.0063, 0.8059), abs=1e-4)
    page = client.get("/", params={"audit": "true"}).text
    assert "Audit sample: 50 % of 24 passed parts" in page
    assert "0.63–81 % with 95 % confidence" in page
    assert "flagged" not in page
