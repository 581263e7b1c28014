"""A clock that jumps: deadlines, order and ids don't follow it."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta, tzinfo

import httpx
import pytest

from trialsight.home import Home
from trialsight_serving.routes import frames as route

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png", "X-Deadline-Ms": "5000"}


def test_a_clock_that_jumps_changes_no_verdict_and_no_order(
    promoted: Home,
    serve: Callable[..., AbstractContextManager[httpx.Client]],
    bad: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jump = [timedelta()]
    now, now_ns = time.time, time.time_ns

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "datetime":  # type: ignore[override]
            return datetime.now(tz) + jump[0]

    monkeypatch.setattr(route, "datetime", Jumping)
    monkeypatch.setattr(time, "time", lambda: now() + jump[0].total_seconds())
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + int(jump[0].total_seconds() * 1e9))
    jumps = [timedelta(), timedelta(days=-3), timedelta(days=400), timedelta(seconds=-1), timedelta()]
    with serve(promoted) as client:
        answers = []
        for number, jump[0] in enumerate(jumps):
            answer = client.post(FRAMES, content=bad, headers=PNG, params={"part": f"P-{number}"})
            assert (answer.status_code, answer.json()["verdict"]) == (200, "reject")
            answers.append(answer.json())
        listed = client.get("/v1/parts").json()["parts"]
        again = client.post(FRAMES, content=bad, headers=PNG, params={"part": "P-0"}).json()
        seen = client.get(f"/v1/parts/{again['part_id']}").json()["frames"]
    assert [part["part"] for part in listed] == [f"P-{number}" for number in reversed(range(len(jumps)))]
    assert len({answer["id"] for answer in answers}) == len(jumps)
    assert [frame["id"] for frame in seen] == [again["id"], answers[0]["id"]]
    times = [datetime.fromisoformat(answer["received_at"]) for answer in answers]
    assert times[1] < times[0] < times[2], "the record says what the clock said"
