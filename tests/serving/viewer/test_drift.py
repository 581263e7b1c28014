"""The drift page: an alarm with its cause, its trends and pictures, acknowledged by a named person; its badge."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from trialsight.home import Home
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import open_database
from trialsight_serving.store.drift import (
    AlarmRecord,
    Watched,
    begin_reference,
    fill_reference,
    find_reference,
    insert_look,
    save_alarm,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

OF = Watched("default", "L1", "default", "blob", "1")


def finding(effect: float, measure: str = "look", group: str = "look") -> dict[str, Any]:
    common = {"before": 0.1, "now": 0.2, "p": 1e-12, "adjusted": 1e-11, "outside": 0.9, "index": None}
    return {"measure": measure, "group": group, "effect": effect, "drifted": abs(effect) >= 1, **common}


def drift(home: Home) -> None:
    """As the service's watch leaves it, without the hundreds of frames."""
    now = datetime.now(UTC)
    with closing(open_database(Settings(home=home.root))) as database, database.write() as connection:
        begin_reference(connection, OF, 1, "service", now)
        reference = find_reference(connection, OF)
        assert reference is not None
        fill_reference(connection, reference, b"npz", 1)
        for number in range(12):
            insert_look(connection, reference, number, now, [finding(number / 4), finding(0.1, "brightness", "light")])
        key = ("a" * 32, "default", "L1", "default", "blob", "1", reference.id, "mix")
        save_alarm(connection, AlarmRecord(*key, [finding(2.75)], now, 12, now))


def test_an_alarm_is_shown_with_its_cause_acknowledged_and_a_retraining_asked_for(
    page: "Page", client: httpx.Client, promoted: Home, post: Callable[..., dict[str, Any]], good: bytes
) -> None:
    post(good, "P-1")
    drift(promoted)
    page.goto("/wall")
    page.get_by_text("Drift: Other parts").first.wait_for()
    page.goto("/drift")
    page.wait_for_selector("html[data-ready]")
    alarm = page.locator(".alarm.open")
    assert "Other parts" in alarm.inner_text()
    assert "trialsight retrain blob" in alarm.inner_text()
    assert page.get_by_role("img", name="Trend of Look, now +2.8").count() == 1
    assert page.locator(".then-now img").count() == 2
    page.get_by_label("Note").fill("new supplier")
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_text("looks after it: new supplier").wait_for()
    (open_now,) = client.get("/v1/drift").json()
    assert open_now["acknowledged_by"]
    page.get_by_role("button", name="Retrain").click()
    page.wait_for_function("fetch('/v1/jobs').then((a) => a.json()).then((jobs) => jobs.length === 1)")
    page.get_by_text("Take this as usual").first.click()
    page.get_by_label("Reason").fill("the new supplier's parts are fine")
    page.get_by_role("button", name="Take this as usual").click()
    page.get_by_text("Learning what is usual: 0 of 200 frames.").wait_for()
    assert client.get("/v1/drift").json() == []

    page.goto("/drift?lang=zh")
    page.get_by_role("heading", name="漂移").wait_for()
    page.get_by_text("来料变化 · default · 已结束").wait_for()
