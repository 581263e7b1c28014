"""Several cameras see one part: it is as bad as its worst view, and without all of them it has no verdict."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from trialsight.card import Card
from trialsight.home import Home
from trialsight.judging import Judging

Serve = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture
def two_views(promoted: Home) -> Home:
    """Line L1 wants each part seen from `top` and `side`."""
    from trialsight_serving.settings import Settings
    from trialsight_serving.store.database import open_database
    from trialsight_serving.store.lines import bind_view

    database = open_database(Settings(home=promoted.root))
    with database.write() as connection:
        bind_view(connection, "L1", "top", "blob", who="test")
        bind_view(connection, "L1", "side", "blob", who="test")
    database.close()
    return promoted


def post(client: httpx.Client, part: str, view: str, data: bytes) -> dict[str, Any]:
    headers = {"content-type": "image/png"}
    answer = client.post(f"/v1/lines/L1/frames?part={part}&view={view}", content=data, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


def test_a_part_passes_only_when_every_view_of_it_does(two_views: Home, serve: Serve, good: bytes, bad: bytes) -> None:
    with serve(two_views) as client:
        first = post(client, "P-1", "top", good)
        assert (first["verdict"], first["part_verdict"]) == ("pass", "no_verdict")
        assert first["part_reason"] == "view missing: side"
        second = post(client, "P-1", "side", good)
        assert (second["part_verdict"], second["part_reason"]) == ("pass", None)
        assert client.get(f"/v1/frames/{first['id']}").json()["part_verdict"] == "pass"

        post(client, "P-2", "side", good)
        worse = post(client, "P-2", "top", bad)
        assert worse["part_verdict"] == "reject"
        parts = client.get("/v1/parts").json()["parts"]
        assert {part["part"]: part["verdict"] for part in parts} == {"P-1": "pass", "P-2": "reject"}


def test_a_rejected_view_rejects_the_part_without_waiting_for_the_others(
    two_views: Home, serve: Serve, bad: bytes
) -> None:
    with serve(two_views) as client:
        assert post(client, "P-1", "top", bad)["part_verdict"] == "reject"


def test_the_join_survives_a_restart_between_two_views(two_views: Home, serve: Serve, good: bytes) -> None:
    with serve(two_views) as client:
        assert post(client, "P-1", "top", good)["part_verdict"] == "no_verdict"
    with serve(two_views) as client:
        (part,) = client.get("/v1/parts").json()["parts"]
        assert (part["verdict"], part["reason"]) == ("no_verdict", "view missing: side")
        assert post(client, "P-1", "side", good)["part_verdict"] == "pass"


def test_a_view_that_the_line_does_not_have_is_refused_by_name(two_views: Home, serve: Serve, good: bytes) -> None:
    with serve(two_views) as client:
        answer = client.post("/v1/lines/L1/frames?view=left", content=good, headers={"content-type": "image/png"})
        assert answer.status_code == 404
        assert answer.json()["type"].endswith("view-not-found")
        assert "side, top" in answer.json()["detail"]
        (line,) = client.get("/v1/lines").json()
        assert line["views"] == {"side": "blob", "top": "blob"}


@pytest.fixture
def serve_with(
    register: Callable[..., str], write_package: Callable[..., Path], record_compared: Callable[..., None]
) -> Callable[[Home, Callable[[Card], Card]], Home]:
    """The home with a changed card's version promoted, through the gate like any other."""
    from trialsight_serving.models.promotion import promote

    def changed(home: Home, change: Callable[[Card], Card]) -> Home:
        version = register(home, write_package(home.root.parent / "changed", change=change))
        record_compared(home, "1", version)
        promote(home, "blob", version)
        return home

    return changed


def test_a_view_beyond_the_deadline_leaves_the_part_without_a_verdict(
    two_views: Home, serve: Serve, good: bytes
) -> None:
    with serve(two_views) as client:
        post(client, "P-1", "top", good)
        with closing(sqlite3.connect(two_views.database)) as database:  # it was long ago
            database.execute("UPDATE frames SET received_at = '2026-01-01 00:00:00'")
            database.commit()
        late = post(client, "P-1", "side", good)
        assert late["part_verdict"] == "no_verdict"
        assert "view missing in time: side came" in late["part_reason"]
        # The part goes by once more; both cameras see it in time.
        post(client, "P-1", "top", good)
        assert post(client, "P-1", "side", good)["part_verdict"] == "pass"


def test_a_frozen_camera_gets_no_verdict_until_its_picture_moves(
    promoted: Home, serve: Serve, frame: Callable[..., bytes], serve_with: Callable[..., Home]
) -> None:
    home = serve_with(promoted, lambda card: replace(card, judging=Judging(frozen_after=3)))
    with serve(home) as client:
        same = [post(client, f"P-{number}", "default", frame(seed=5)) for number in range(4)]
        assert [one["verdict"] for one in same] == ["pass", "pass", "no_verdict", "no_verdict"]
        assert "frozen camera: 3 identical frames" in same[2]["reason"]
        assert post(client, "P-9", "default", frame(seed=6))["verdict"] == "pass"
