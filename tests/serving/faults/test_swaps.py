"""Models swapped under load, and packages that are no good. TRIALSIGHT_SWAPS says how often (200 in full)."""

import shutil
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from trialsight.home import Home
from trialsight.package import GRAPH, write_card

RECIPE = "blob"
LIMITS = {"1": (20.0, 40.0), "2": (10.0, 25.0)}  # a blob of 30 is for review by version 1, a reject by version 2
GROWTH_MIB = 48


def test_no_frame_fails_while_models_are_swapped(
    promoted: Home,
    run_service: Callable[..., AbstractContextManager[Any]],
    pressing: Callable[..., AbstractContextManager[Any]],
    frame: Callable[..., bytes],
    counted: Callable[[str, int], int],
    record_property: Callable[[str, object], None],
) -> None:
    swaps = counted("TRIALSIGHT_SWAPS", 8)
    frames = [frame(blob=blob, seed=seed) for seed in range(4) for blob in (0, 30, 100)]
    resident = []
    with (
        run_service(promoted) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
        pressing(running.url, frames) as seen,
    ):
        for number in range(swaps):
            body = {"version": "21"[number % 2], "reason": "swap", "approver": "test"}
            done = client.post(f"/v1/models/{RECIPE}/promote", json=body)
            assert done.status_code == 200, done.text
            resident.append(_resident_mib(running.process.pid))
            threading.Event().wait(0.05)
    record_property("resident_mib", [resident[0], resident[len(resident) // 4], resident[-1]])
    record_property("answers", len(seen.answers))
    assert not seen.refused, seen.refused[0].text
    for answer in seen.answers:
        version = answer["model"]["version"]
        t1, t2 = LIMITS[version]
        assert (answer["thresholds"]["t1"], answer["thresholds"]["t2"]) == (t1, t2)
        expected = "pass" if answer["score"] <= t1 else "reject" if answer["score"] > t2 else "review"
        assert answer["verdict"] == expected
    assert {answer["model"]["version"] for answer in seen.answers} == {"1", "2"}
    assert resident[-1] - resident[len(resident) // 4] < GROWTH_MIB, resident


def _resident_mib(pid: int) -> int:
    fields = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in fields if line.startswith("VmRSS")) // 1024


def corrupt(package: Path) -> None:
    graph = package / GRAPH
    graph.write_bytes(graph.read_bytes()[:-10])


def wrong_sha(package: Path) -> None:
    from trialsight.package import load_package

    card = load_package(package).card
    write_card(package, replace(card, graph_sha256="0" * 64))


def no_card(package: Path) -> None:
    (package / "card.json").write_text("{")


BAD = {"a graph cut short": corrupt, "another sha256 in the card": wrong_sha, "a card that is no JSON": no_card}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD.keys())
def test_a_package_that_is_no_good_leaves_the_champion(
    promoted: Home,
    serve: Callable[..., AbstractContextManager[httpx.Client]],
    register: Callable[..., str],
    write_package: Callable[..., Path],
    bad: bytes,
    tmp_path: Path,
    spoil: Callable[[Path], None],
) -> None:
    package = write_package(tmp_path / "package")
    spoil(package)
    version = register(promoted, package)
    with serve(promoted) as client:
        refused = client.post(
            f"/v1/models/{RECIPE}/promote", json={"version": version, "reason": "x", "approver": "test"}
        )
        assert refused.status_code in (409, 422), refused.text
        assert refused.headers["content-type"] == "application/problem+json"
        answer = client.post("/v1/lines/L1/frames", content=bad, headers={"Content-Type": "image/png"}).json()
        assert (answer["verdict"], answer["model"]["version"]) == ("reject", "1")
    assert not promoted.package(RECIPE, version).exists(), "a package that was refused stays out of the local copies"
    shutil.rmtree(package)
