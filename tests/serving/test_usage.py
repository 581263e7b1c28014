"""Quotas through HTTP and the command line: exact at the limit, the same frame never counted twice."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from trialsight.cli import app as cli
from trialsight.home import Home
from trialsight_serving.access.bootstrap import bootstrap
from trialsight_serving.settings import Settings

Serve = Callable[..., Any]
Frame = Callable[..., bytes]
FRAMES, PNG = "/v1/lines/L1/frames", {"Content-Type": "image/png"}
QUOTA = "/v1/organisations/default/quota"


@pytest.fixture
def client(promoted: Home, serve: Serve) -> Iterator[httpx.Client]:
    key = bootstrap(Settings(home=promoted.root))["administrator"]
    with serve(promoted) as client:
        client.headers["X-API-Key"] = key
        yield client


def post(client: httpx.Client, data: bytes, key: str = "") -> httpx.Response:
    return client.post(FRAMES, content=data, headers=PNG | ({"Idempotency-Key": key} if key else {}))


def used(client: httpx.Client) -> tuple[int, int]:
    found = client.get("/v1/usage").json()
    assert found["frames_today"] == found["frames_this_month"] == sum(day["frames"] for day in found["days"])
    return found["frames_today"], found["stored_bytes"]


def limit(client: httpx.Client, **limits: int) -> None:
    answer = client.put(QUOTA, json=limits)
    assert answer.status_code == 200, answer.text


def test_beyond_the_frame_quota_is_429_until_midnight_and_a_retry_counts_once(
    client: httpx.Client, frame: Frame
) -> None:
    limit(client, frames_per_day=3)
    first = post(client, frame(seed=1), "k-1").json()
    assert post(client, frame(seed=1), "k-1").json()["id"] == first["id"]
    assert post(client, frame(seed=2)).status_code == 200
    assert used(client)[0] == 2
    assert post(client, frame(seed=3), "k-3").status_code == 200
    refused = post(client, frame(seed=4))
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    assert refused.json()["type"].endswith("frames-quota")
    midnight = datetime.fromisoformat(client.get("/v1/usage").json()["next_day_at"])
    wait = (midnight - datetime.now(UTC)).total_seconds()
    assert wait - 5 < int(refused.headers["retry-after"]) < wait + 5
    assert post(client, frame(seed=3), "k-3").status_code == 200, "what was answered is answered again"
    assert used(client)[0] == 3
    assert len(client.get("/v1/parts").json()["parts"]) == 3
    metrics = client.get("/metrics").text
    assert 'trialsight_usage_frames{organisation="default",period="day"} 3.0' in metrics
    assert 'trialsight_quota{of="frames_per_day",organisation="default"} 3.0' in metrics
    assert 'trialsight_frames_refused_total{line="L1",problem="frames-quota"} 1.0' in metrics
    page = client.get("/account").text
    assert ("3 of 3" in page, "used up" in page) == (True, True)
    limit(client, frames_per_month=3)
    assert "a month" in post(client, frame(seed=4)).json()["detail"]
    limit(client)
    assert post(client, frame(seed=4)).status_code == 200


def test_frames_at_once_are_counted_exactly(client: httpx.Client, frame: Frame) -> None:
    limit(client, frames_per_day=5)
    sent = [(frame(seed=number), f"k-{number}") for number in range(9) for _ in range(2)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda one: post(client, *one), sent))
    assert {answer.status_code for answer in answers} == {200, 429}
    answered = {answer.json()["id"] for answer in answers if answer.status_code == 200}
    assert len(answered) == used(client)[0] == 5


def test_the_storage_quota_is_507(client: httpx.Client, frame: Frame, eventually: Callable[..., None]) -> None:
    eventually(lambda: used(client)[1] > 0)  # the models
    _, models = used(client)
    data = frame(seed=1)
    assert post(client, data).status_code == 200
    count, stored = used(client)
    assert count == 1
    assert stored > models + len(data), "the defect map counts too"
    limit(client, stored_bytes=stored + 1)
    refused = post(client, frame(seed=2))
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (507, "storage-quota")
    assert used(client) == (1, stored)


def test_all_that_is_stored_counts_until_it_is_taken_away(
    client: httpx.Client, promoted: Home, frame: Frame, eventually: Callable[..., None]
) -> None:
    folders = (promoted.packages, promoted.mlflow_artifacts)
    models = sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())
    eventually(lambda: used(client) == (0, models))
    frame_id = post(client, frame(seed=1)).json()["id"]
    _, before = used(client)
    mask = cv2.imencode(".png", np.zeros((64, 64), np.uint8))[1].tobytes()
    for _ in range(2):
        assert client.put(f"/v1/frames/{frame_id}/mask", content=mask).status_code == 200
    mask_bytes = len(client.get(f"/v1/frames/{frame_id}/mask").content)
    assert used(client)[1] == before + mask_bytes
    picture = frame(seed=2)
    for with_class in (False, True):  # an image is taken out, then one goes with its class
        given = {"content": picture, "params": {"kind": "example"}, "headers": PNG}
        image = client.post("/v1/defect-classes/scratch/uploads", **given).json()["id"]
        assert used(client)[1] == before + mask_bytes + len(picture)
        gone = "/v1/defect-classes/scratch" if with_class else f"/v1/defect-classes/images/{image}"
        assert client.delete(gone).status_code == 204
        assert used(client)[1] == before + mask_bytes


def test_frames_of_the_open_inference_protocol_count_as_any(client: httpx.Client) -> None:
    limit(client, frames_per_day=3, stored_bytes=0)  # nothing of them is stored
    tensor = {"name": "frame", "datatype": "UINT8", "shape": [2, 64, 64, 3], "data": [128] * (2 * 64 * 64 * 3)}
    answers = [client.post("/v2/models/blob/infer", json={"inputs": [tensor]}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].json()["type"].endswith("frames-quota")
    assert used(client)[0] == 2


def test_an_organisation_sees_its_own_and_sets_none(client: httpx.Client, frame: Frame) -> None:
    acme = client.post("/v1/organisations", json={"id": "acme", "name": "Acme"}).json()["administrator"]
    post(client, frame())
    assert client.put("/v1/organisations/acme/quota", json={"frames_per_day": 7}).json()["organisation"] == "acme"
    assert client.put("/v1/organisations/nobody/quota", json={}).status_code == 404
    assert client.put(QUOTA, json={"frames_per_day": -1}).status_code == 422
    assert client.get("/v1/usage", params={"organisation": "acme"}).json()["quota"]["frames_per_day"] == 7
    client.headers["X-API-Key"] = acme
    told = client.get("/v1/usage").json()
    assert (told["organisation"], told["frames_today"], told["quota"]["frames_per_day"]) == ("acme", 0, 7)
    assert client.get("/v1/usage", params={"organisation": "default"}).status_code == 404
    assert client.put("/v1/organisations/acme/quota", json={}).status_code == 403


def test_the_command_line_sets_limits_that_a_running_service_follows(
    promoted: Home, serve: Serve, frame: Frame, eventually: Callable[..., None]
) -> None:
    def run(*words: str) -> str:
        found = CliRunner().invoke(cli, [*words, "--home", str(promoted.root)])
        assert found.exit_code == 0, found.output
        return found.stdout

    with serve(promoted) as client:
        assert post(client, frame(seed=1)).status_code == 200
        run("organisation", "quota", "default", "--frames-per-day", "9", "--stored-gb", "2.5")
        told = json.loads(run("organisation", "quota", "default", "--frames-per-day", "1", "--json"))
        assert told["quota"] == {"frames_per_day": 1, "frames_per_month": None, "stored_bytes": 2_500_000_000}
        eventually(lambda: post(client, frame(seed=2)).status_code == 429)
    assert " of 1 frames" in run("usage")
    by_day = json.loads(run("usage", "--organisation", "default", "--json"))["days"]
    assert sum(day["frames"] for day in by_day) >= 1
    assert " of " not in run("organisation", "quota", "default", "--no-limits")
