"""A challenger sees live frames, says something else, and changes nothing but the evidence."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from trialsight.cli import app as cli
from trialsight.home import Home

RECIPE = "blob"
MODEL = f"/v1/models/{RECIPE}"
FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
Serve = Callable[..., httpx.Client]
Eventually = Callable[[Callable[[], bool]], None]
Frame = Callable[..., bytes]


@pytest.fixture
def challenged(promoted: Home, serve: Serve) -> Iterator[httpx.Client]:
    """Version 1 gives verdicts, version 2 (which rejects from 25 on, not from 40) runs in its shadow."""
    with serve(promoted) as client:
        put = client.put(f"{MODEL}/challenger", json={"version": "2", "reason": "stricter"})
        assert put.json() == {"recipe": RECIPE, "champion": "1", "version": "2", "before": None}
        yield client


def post(client: httpx.Client, data: bytes, part: str) -> dict[str, str]:
    answer: dict[str, str] = client.post(FRAMES, content=data, headers=PNG, params={"part": part}).json()
    return answer


def said(words: list[str]) -> dict[str, Any]:
    """What a command printed, without what the service beside it logged meanwhile."""
    lines = [json.loads(line) for line in CliRunner().invoke(cli, words).stdout.splitlines()]
    (answer,) = [line for line in lines if "event" not in line]
    return answer


def seen(client: httpx.Client) -> int:
    return int(client.get(f"{MODEL}/evidence").json()["frames"])


def test_it_is_compared_on_live_frames_and_on_what_people_decided(
    challenged: httpx.Client, frame: Frame, eventually: Eventually, promoted: Home
) -> None:
    client = challenged
    blobs = {"good": 0, "doubtful-1": 30, "doubtful-2": 30, "bad": 100}
    answers = {}
    for number, (part, blob) in enumerate(blobs.items()):
        answers[part] = post(client, frame(blob=blob, seed=number), part)
        eventually(lambda number=number: seen(client) == number + 1)
    assert {part: answer["verdict"] for part, answer in answers.items()} == {
        "good": "pass",
        "doubtful-1": "review",
        "doubtful-2": "review",
        "bad": "reject",
    }
    assert {answer["model"]["version"] for answer in answers.values()} == {"1"}  # type: ignore[index]
    for part, decision in (("good", "confirm"), ("doubtful-1", "overrule_good"), ("bad", "confirm")):
        path = f"/v1/parts/{answers[part]['part_id']}/decisions"
        assert client.post(path, json={"decision": decision}).status_code == 201
    found = client.get(f"{MODEL}/evidence").json()
    assert found.pop("mean_ms") > 0
    assert found == {
        "recipe": RECIPE,
        "champion": "1",
        "challenger": "2",
        "frames": 4,
        "agreed": 2,
        "changes": {"review -> reject": 2},
        "reviewed": 3,
        "champion_hits": {"right": 2, "overkill": 1, "escape": 0},
        "challenger_hits": {"right": 2, "overkill": 1, "escape": 0},
    }
    page = client.get(f"{MODEL}/disagreements", params={"limit": 1}).json()
    assert [one["frame_id"] for one in page["disagreements"]] == [answers["doubtful-2"]["id"]]
    page = client.get(f"{MODEL}/disagreements", params={"after": page["next"]}).json()
    assert [one["frame_id"] for one in page["disagreements"]] == [answers["doubtful-1"]["id"]]
    assert page["next"] is None
    where = ["--home", str(promoted.root), "--json"]
    assert said(["challenge", RECIPE, *where])["evidence"]["agreed"] == 2
    won = said(["promote", RECIPE, "2", *where])
    assert won["evidence"]["changes"] == {"review -> reject": 2}
    eventually(lambda: client.get(MODEL).json()["model"]["version"] == "2")
    assert client.get(MODEL).json()["model"]["challenger"] is None


def test_a_burst_is_answered_at_once_and_the_shadow_takes_what_it_can(
    challenged: httpx.Client, frame: Frame, eventually: Eventually
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(16) as pool:
        verdicts = list(pool.map(lambda n: post(challenged, frame(seed=n), f"P-{n}")["verdict"], range(64)))
    assert set(verdicts) == {"pass"}

    def outcomes() -> dict[str, float]:
        lines = challenged.get("/metrics").text.splitlines()
        mine = [line for line in lines if line.startswith("trialsight_shadow_frames_total{")]
        return {line.split('outcome="')[1].split('"')[0]: float(line.split()[-1]) for line in mine}

    eventually(lambda: sum(outcomes().values()) == 64)
    assert outcomes()["agree"] == seen(challenged)


def test_a_challenge_ends(challenged: httpx.Client, good: bytes, promoted: Home, eventually: Eventually) -> None:
    done = CliRunner().invoke(cli, ["challenge", RECIPE, "--end", "--home", str(promoted.root)])
    assert f"{RECIPE} has no challenger any more (was version 2)\n" in done.stdout  # beside the service's own log
    eventually(lambda: challenged.get(MODEL).json()["model"]["challenger"] is None)
    assert post(challenged, good, "P-1")["verdict"] == "pass"
