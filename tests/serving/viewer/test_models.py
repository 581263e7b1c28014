"""The models page: a retraining is asked for and cancelled, a challenge ended and a version promoted with a reason."""

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx

from trialsight.home import Home
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import open_database
from trialsight_serving.store.jobs import JobState, update_job

if TYPE_CHECKING:
    from playwright.sync_api import Page

Post = Callable[..., dict[str, Any]]


def test_a_retraining_is_asked_for_followed_and_cancelled(page: "Page", client: httpx.Client) -> None:
    page.goto("/models")
    page.wait_for_selector("html[data-ready]")
    page.get_by_role("button", name="Retrain").click()
    page.wait_for_selector(".jobs li[data-state=queued]")
    [job] = client.get("/v1/jobs", params={"recipe": "blob"}).json()
    assert job["state"] == "queued"
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector(".jobs li[data-state=cancelled]")
    assert page.get_by_role("button", name="Cancel").count() == 0
    assert client.get(f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"


def test_a_job_names_good_parts_that_may_be_labelled_wrongly(
    page: "Page", client: httpx.Client, promoted: Home
) -> None:
    job = client.post("/v1/models/blob/retrain", json={}).json()
    results = {"train": {"version": "4", "doubtful": [{"part": "P 1", "score": 1.2, "others": 0.3}]}}
    with closing(open_database(Settings(home=promoted.root))) as database, database.write() as connection:
        update_job(connection, job["id"], state=JobState.FAILED, problem="the gate refused it", results=results)
    page.goto("/models?lang=zh")
    row = page.locator(".jobs li[data-state=failed]")
    assert "标签是否正确" in row.inner_text()
    link = row.get_by_role("link", name="P 1")
    assert link.get_attribute("href") == "/?part=P%201"


def test_a_challenge_shows_its_evidence_and_ends_and_a_version_is_promoted_and_rolled_back(
    open_page: "Callable[..., Page]",
    client: httpx.Client,
    post: Post,
    frame: Callable[..., bytes],
    eventually: Callable[..., None],
) -> None:
    page = open_page(str(client.base_url).rstrip("/"), allowed=("409",))
    page.goto("/models")
    page.wait_for_selector("html[data-ready]")
    challenge = {"version": "2", "reason": "stricter"}
    assert client.put("/v1/models/blob/challenger", json=challenge).status_code == 200
    page.get_by_role("button", name="End challenge").wait_for()  # as after a retraining: without a reload
    shown = post(frame(blob=28, seed=1), "P-1")  # version 1 wants it reviewed; version 2 rejects from 25 on
    eventually(lambda: client.get("/v1/models/blob/evidence").json()["frames"] == 1)
    page.goto("/models")
    page.wait_for_selector("html[data-ready]")
    seen = client.get("/v1/models/blob/disagreements").json()["disagreements"]
    assert [one["frame_id"] for one in seen] == [shown["id"]]
    link = page.get_by_role("link", name="P-1")
    assert link.get_attribute("href") == f"/parts/{shown['part_id']}?frame={shown['id']}"

    page.get_by_role("button", name="End challenge").click()
    assert client.get("/v1/models/blob").json()["model"]["challenger"] == "2", "not without a reason"
    page.get_by_label("Reason").fill("worse")
    page.get_by_role("button", name="End challenge").click()
    page.get_by_role("button", name="End challenge").wait_for(state="detached")
    assert client.get("/v1/models/blob").json()["model"]["challenger"] is None

    page.get_by_label("Reason").fill("stricter")
    page.get_by_role("button", name="Promote 3").click()
    page.wait_for_function("() => document.querySelector('.gate').textContent.includes('bad.png')")
    page.get_by_role("button", name="Promote 2").click()
    page.get_by_role("button", name="Roll back to 1").wait_for()
    assert client.get("/v1/models/blob").json()["model"]["version"] == "2"
    page.get_by_label("Reason").fill("rejects too much")
    page.get_by_role("button", name="Roll back to 1").click()
    page.get_by_role("button", name="Roll back to 2").wait_for()
    assert client.get("/v1/models/blob").json()["model"]["version"] == "1"
