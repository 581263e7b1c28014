"""The gate at promotion: each condition refuses by itself, says what to do, and leaves its figures on record."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from trialsight.card import Card
from trialsight.cli import app as cli
from trialsight.home import Home
from trialsight.verdict import Thresholds
from trialsight_serving.settings import Settings
from trialsight_serving.store.audit import AuditEntry, entries
from trialsight_serving.store.database import open_database

RECIPE, PNG = "blob", {"Content-Type": "image/png"}
MODEL, FRAMES = f"/v1/models/{RECIPE}", "/v1/lines/L1/frames"
Serve = Callable[..., httpx.Client]


def records(home: Home) -> list[AuditEntry]:
    database = open_database(Settings(home=home.root))
    try:
        with database.read() as connection:
            return list(entries(connection))
    finally:
        database.close()


def failing(client: httpx.Client, version: str) -> dict[str, dict[str, Any]]:
    """Of a promotion that is refused: what fails, the same whether it is asked for or only looked at."""
    seen = client.get(f"{MODEL}/gate", params={"version": version}).json()
    refused = client.post(f"{MODEL}/promote", json={"version": version, "reason": "try"})
    assert (seen["holds"], refused.status_code) == (False, 409), refused.text
    assert refused.json()["conditions"] == seen["conditions"]
    failed = {one["name"]: one for one in seen["conditions"] if not one["holds"]}
    assert all(one["remedy"] and one["remedy"] in refused.json()["remedy"] for one in failed.values())
    return failed


def decide(client: httpx.Client, part_id: str, decision: str, **more: str) -> str:
    stored = client.post(f"/v1/parts/{part_id}/decisions", json={"decision": decision, **more})
    assert stored.status_code == 201, stored.text
    return stored.json()["key"]


def test_an_escape_is_remembered_and_must_not_pass_again(
    promoted: Home,
    serve: Serve,
    frame: Callable[..., bytes],
    register: Callable[..., str],
    write_package: Callable[..., Path],
    record_compared: Callable[..., None],
    tmp_path: Path,
) -> None:
    faint = Thresholds(t1=5, t2=10, region=10)
    catches = register(promoted, write_package(tmp_path / "faint", change=lambda card: replace(card, thresholds=faint)))
    record_compared(promoted, "1", catches)
    with serve(promoted) as client:
        posted = client.post(FRAMES, content=frame(blob=8), headers=PNG, params={"part": "P-1"}).json()
        assert posted["verdict"] == "pass"
        decide(client, posted["part_id"], "missed_defect", defect_class="dent")
        failed = failing(client, "2")
        assert list(failed) == ["escapes"]
        assert failed["escapes"]["said"] == "1 of 1 known escapes pass again: P-1"
        # A later frame of the part, and decisions about that, change nothing about the one that escaped.
        again = client.post(FRAMES, content=frame(blob=100), headers=PNG, params={"part": "P-1"}).json()
        decide(client, again["part_id"], "confirm")
        assert list(failing(client, "2")) == ["escapes"]
        done = client.post(f"{MODEL}/promote", json={"version": catches, "reason": "catches it", "approver": "Li Na"})
        assert done.status_code == 200, done.text
        assert "all 1 known escapes are caught" in [one["said"] for one in done.json()["gate"]["conditions"]]
        past = client.get(MODEL).json()["promotion"]
        assert (past["version"], past["approver"], past["previous"]) == (catches, "Li Na", "1")
        page = client.get("/models", params={"lang": "zh"}).text
        assert "1 个已知漏检全部检出" in page
        assert "Li Na" in page
    refused = [one for one in records(promoted) if one.what == "model.refused"]
    assert [one.new["gate"][1]["figures"]["parts"] for one in refused] == ["P-1", "P-1"]
    (kept,) = [one for one in records(promoted) if one.what == "model.promoted"][1:]
    assert kept.new["gate"][4]["figures"] == {"approver": "Li Na"}


def test_an_escape_that_was_a_mistake_counts_no_more(promoted: Home, serve: Serve, frame: Callable[..., bytes]) -> None:
    with serve(promoted) as client:
        posted = client.post(FRAMES, content=frame(blob=8), headers=PNG).json()
        key = decide(client, posted["part_id"], "missed_defect")
        assert list(failing(client, "2")) == ["escapes"]
        decide(client, posted["part_id"], "undo", undoes=key)
        assert client.get(f"{MODEL}/gate", params={"version": "2"}).json()["holds"]


def test_worse_than_the_champion_or_never_compared_with_it(
    promoted: Home,
    serve: Serve,
    record_compared: Callable[..., None],
    write_package: Any,
    register: Any,
    tmp_path: Path,
) -> None:
    new = register(promoted, write_package(tmp_path / "new"))
    with serve(promoted) as client:
        failed = failing(client, new)
        assert failed["comparison"]["case"] == "missing"
        assert failed["comparison"]["remedy"] == f"trialsight compare blob/1 blob/{new} --data SET --record"
        record_compared(promoted, "1", new, image_auroc=(0.99, 0.96))
        assert failing(client, new)["comparison"]["figures"]["image_auroc"] == "0.990 → 0.960"
        record_compared(promoted, "1", new, escape_rate=(0.0, 0.1))
        assert failing(client, new)["comparison"]["case"] == "worse"
        record_compared(promoted, "1", new, false_reject_rate=(0.0, 0.05))  # as promised
        assert client.get(f"{MODEL}/gate", params={"version": new}).json()["holds"]


def unpromised(card: Card) -> Card:
    return replace(card, promise=replace(card.promise, n=0))


def test_a_first_champion_needs_what_can_be_had(
    home: Home, register: Callable[..., str], write_package: Callable[..., Path], tmp_path: Path
) -> None:
    new = register(home, write_package(tmp_path / "new", change=unpromised))
    where = ["--home", str(home.root)]
    refused = CliRunner().invoke(cli, ["promote", RECIPE, new, *where])
    assert refused.exit_code == 1
    assert "states no false-reject promise" in str(refused.exception)
    nobody = CliRunner().invoke(cli, ["promote", RECIPE, "1", "--approver", "", *where])
    assert "nobody answers for it" in str(nobody.exception)
    first = CliRunner().invoke(cli, ["promote", RECIPE, "1", "--approver", "Wang Wei", *where])
    assert first.exit_code == 0, first.output
    assert "no champion yet to compare with" in first.output
    assert "approved by Wang Wei" in first.output


CASES = {
    "as good": ({}, 0.02, ()),
    "less sure": ({"image_auroc": (0.99, 0.975)}, 0.02, ()),
    "worse": ({"image_auroc": (0.99, 0.96)}, 0.02, ("image_auroc",)),
    "a wider margin": ({"image_auroc": (0.99, 0.96)}, 0.05, ()),
    "more escapes": ({"escape_rate": (0.0, 0.1)}, 0.02, ("escape_rate",)),
    "false rejects as promised": ({"false_reject_rate": (0.0, 0.05)}, 0.02, ()),
    "false rejects beyond the promise": ({"false_reject_rate": (0.0, 0.2)}, 0.02, ("false_reject_rate",)),
}


@pytest.mark.parametrize(("figures", "margin", "worse"), CASES.values(), ids=CASES)
def test_what_counts_as_worse(figures: dict[str, Any], margin: float, worse: tuple[str, ...]) -> None:
    from trialsight.compared import Compared

    assert Compared("a", "b", "c", 20, 10, **figures).worse(margin, promised=0.05) == worse
