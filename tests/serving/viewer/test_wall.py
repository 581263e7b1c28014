"""The line wall: what each line does, at once and large; and never a green that nobody vouches for."""

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import datetime, time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from trialsight.home import Home
from trialsight_serving.shift import shift_start

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

Post = Callable[..., dict[str, Any]]
PNG = {"Content-Type": "image/png"}
THREE = (time(6), time(14), time(22))


@pytest.mark.parametrize(
    ("now", "starts", "zone", "since"),
    [
        ("2026-11-25T13:59:59+00:00", THREE, "UTC", "2026-11-25T06:00:00+00:00"),
        ("2026-11-25T14:00:00+00:00", THREE, "UTC", "2026-11-25T14:00:00+00:00"),
        ("2026-11-25T03:00:00+00:00", THREE, "UTC", "2026-11-24T22:00:00+00:00"),
        ("2026-11-25T03:00:00+00:00", THREE, "Asia/Shanghai", "2026-11-25T06:00:00+08:00"),
        ("2026-11-25T03:00:00+00:00", (time(12),), "UTC", "2026-11-24T12:00:00+00:00"),
    ],
)
def test_a_shift_begins_by_the_plants_clock(now: str, starts: tuple[time, ...], zone: str, since: str) -> None:
    found = shift_start(datetime.fromisoformat(now), starts, ZoneInfo(zone))
    assert found == datetime.fromisoformat(since)


def test_each_verdict_is_large_counted_and_an_alarm_is_heard(
    page: "Page", client: httpx.Client, post: Post, press: Callable[..., None], good: bytes, frame: Callable[..., bytes]
) -> None:
    page.set_viewport_size({"width": 1920, "height": 1080})
    post(good, "P-1")
    page.goto("/wall")
    page.locator("#wall[data-link=up] .tile.pass .word", has_text="Pass").wait_for()
    assert float(page.evaluate("() => parseFloat(getComputedStyle(document.querySelector('.word')).fontSize)")) > 160
    press(page, "s")  # sound on: it rings once, so that one hears how loud it is
    bell = page.locator("[data-action=sound]")
    assert (bell.get_attribute("aria-pressed"), bell.get_attribute("data-rung")) == ("true", "1")
    for number in (2, 3, 4):
        post(frame(blob=100, seed=number), f"P-{number}")
        page.locator(".tile.reject .serial", has_text=f"P-{number}").wait_for()
    page.locator(".tile.alarmed .alarm", has_text="3 rejects in a row").wait_for()
    assert bell.get_attribute("data-rung") == "4"
    assert page.locator("#alarms").text_content() == "L1: 3 rejects in a row"
    assert page.locator(".recent li").count() == 4
    assert page.locator("[data-count=reject]").inner_text() == "3"
    assert page.locator("[data-count=pass]").inner_text() == "1"
    moving = "() => getComputedStyle(document.querySelector('.tile')).animationName"
    assert page.evaluate(moving) == "alarm"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == "none"
    shown = client.get("/v1/wall", params={"line": "L2"}).json()
    assert shown["lines"] == []


def three_minutes_on(route: "Route") -> None:
    """The service's answer, as if no part had come since."""
    answer = route.fetch()
    said = answer.json()
    for line in said["lines"]:
        for part in line["parts"]:
            part["age_s"] += 180
    route.fulfill(response=answer, json=said)


def test_without_the_service_it_says_so_and_comes_back_by_itself(
    promoted: Home,
    serve: Callable[..., AbstractContextManager[httpx.Client]],
    open_page: "Callable[..., Page]",
    good: bytes,
) -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page = open_page(f"http://127.0.0.1:{port}", allowed=("net::ERR", "Failed to load resource"))
    page.clock.install()
    green = page.locator("#wall[data-link=up] .tile.pass")
    lost = page.locator("#wall[data-link=lost] .tile.lost .word", has_text="No connection")
    with serve(promoted, port=port) as client:
        assert client.post("/v1/lines/L1/frames?part=P-1", content=good, headers=PNG).status_code == 200
        page.goto("/wall")
        green.wait_for()
        page.route("**/v1/wall", lambda _: None)  # a service that hangs: nothing is refused, nothing answered
        page.clock.fast_forward("00:07")
        lost.wait_for()
        assert page.locator(".tile.pass").count() == 0
        page.unroute("**/v1/wall")
        page.clock.fast_forward("00:07")
        green.wait_for()
    page.clock.fast_forward("00:07")
    lost.wait_for()
    page.locator("#link", has_text="✕ No connection for").wait_for()
    with serve(promoted, port=port):
        page.clock.fast_forward("00:02")
        green.wait_for()
        page.route("**/v1/wall", three_minutes_on)
        page.locator(".tile.waiting .word", has_text="Waiting").wait_for()
