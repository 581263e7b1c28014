"""Every page in both languages and both colour schemes under axe-core; a tablet's finger; how much a page weighs."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from trialsight.home import Home

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

Post = Callable[..., dict[str, Any]]


@pytest.fixture
def part(client: httpx.Client, post: Post, good: bytes, bad: bytes) -> str:
    """A part that was seen from two views, decided about, undone, and drawn on; others lie around it."""
    import cv2
    import numpy as np

    post(good, "P-0")
    shown = post(bad, "P-1", view="top", trial="T1")
    post(good, "P-1", view="side", trial="T1")
    part = str(shown["part_id"])
    url = f"/v1/parts/{part}/decisions"
    for body in (
        {"decision": "confirm", "key": "decision-1", "defect_class": "dent", "note": "deep"},
        {"decision": "undo", "key": "decision-2", "undoes": "decision-1"},
        {"decision": "unsure"},
    ):
        assert client.post(url, json=body).status_code == 201
    mask = cv2.imencode(".png", np.eye(64, dtype=np.uint8) * 255)[1].tobytes()
    put = client.put(f"/v1/frames/{shown['id']}/mask", content=mask, headers={"Content-Type": "image/png"})
    assert put.status_code == 200, put.text
    post(bad, "P-2")
    challenge = {"version": "2", "reason": "stricter"}
    assert client.put("/v1/models/blob/challenger", json=challenge).status_code == 200
    post(bad, "P-3")
    assert client.post("/v1/models/blob/retrain").status_code == 202
    return part


def pages(part: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Name, address, and keys to press there."""
    yield "the queue, filtered", "/?trial=T1&score_min=1&review=unsure", ()
    yield "an empty queue", "/?part=nobody", ()
    yield "the contact sheet", "/triage", ("a",)
    yield "the line wall", "/wall", ()
    yield "drift", "/drift", ()
    yield "the defect book", "/book", ("1",)
    yield "the thresholds", "/thresholds", ("1",)
    yield "a part beside a good one", f"/parts/{part}", ("s", "r")
    yield "painting", f"/parts/{part}", ("p",)
    yield "the key sheet", f"/parts/{part}", ("?",)
    yield "drift", "/drift", ()
    yield "the models", "/models", ()
    yield "the account", "/account", ()
    yield "an error", f"/parts/{'0' * 32}", ()


def violations(page: "Page", only: str | None = None) -> list[str]:
    """Of all rules, or of `only` one."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"runOnly": {"type": "rule", "values": [only]}} if only else None
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}" for one in found for node in one["nodes"]
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_violates_axe_in_either_colour_scheme(
    open_page: "Callable[..., Page]", client: httpx.Client, part: str, language: str
) -> None:
    page = open_page(str(client.base_url).rstrip("/"), allowed=("404",))
    page.goto(f"/?lang={language}")
    found = {}
    for name, address, keys in pages(part):
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        for key in keys:
            page.keyboard.press(key)
        if "p" in keys:
            page.wait_for_selector("#painting:not([hidden])")
        for scheme, only in (("dark", None), ("light", "color-contrast")):  # a scheme changes colours alone
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found[name, scheme] = violations(page, only)
    assert {case: trouble for case, trouble in found.items() if trouble} == {}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_log_in_page_violates_nothing(
    promoted: Home, serve: Callable[..., Any], open_page: "Callable[..., Page]", language: str
) -> None:
    oidc = {"issuer": "https://login.example.com", "client_id": "trialsight", "label": "Factory ID"}
    with serve(promoted, host="0.0.0.0", oidc=oidc) as client:
        page = open_page(str(client.base_url).rstrip("/"), allowed=("401",))
        page.goto(f"/login?lang={language}")
        page.wait_for_selector("html[data-ready]")
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            assert violations(page) == [], scheme
        page.context.close()


SMALL = """() => [...document.querySelectorAll("a, button, select, summary, input, .chip, .sheet label")]
  .filter((one) => one.checkVisibility() && !one.matches(".chip input, .sheet label input, .cards .card *"))
  .map((one) => [one.outerHTML.slice(0, 90), one.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.width < 43.5 || box.height < 43.5))
  .map(([html, box]) => `${html} ${Math.round(box.width)}x${Math.round(box.height)}`)"""


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_finger_on_a_tablet_hits_every_target(
    open_page: "Callable[..., Page]", client: httpx.Client, part: str, language: str
) -> None:
    tablet = {"viewport": {"width": 1280, "height": 800}, "has_touch": True, "is_mobile": True}
    page = open_page(str(client.base_url).rstrip("/"), allowed=("404",), **tablet)
    page.goto(f"/?lang={language}")
    for name, address, keys in pages(part):
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        if "p" in keys:
            page.locator("[data-action=paint]").tap()
            page.wait_for_selector("#painting:not([hidden])")
        assert page.evaluate(SMALL) == [], name
        wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is wider than the screen"


def test_the_part_page_without_its_picture_is_light(page: "Page", part: str) -> None:
    weights: dict[str, int] = {}

    def weigh(response: "Response") -> None:
        if "/v1/frames/" not in response.url:
            weights[response.url] = len(response.body())

    page.on("response", weigh)
    page.goto(f"/parts/{part}")
    page.wait_for_selector("#stage[data-drawn=true]")
    page.wait_for_load_state("networkidle")
    own = {url: size for url, size in weights.items() if "/parts/" not in url or part in url}  # less what is prefetched
    assert any(url.endswith("/part.js") for url in own)
    assert sum(own.values()) <= 150_000, own


def test_a_verdict_has_a_shape_and_a_word_besides_its_colour(page: "Page", part: str) -> None:
    for address in ("/", "/triage", f"/parts/{part}"):
        page.goto(address)
        shapes = page.evaluate("() => [...document.querySelectorAll('main .shape')].map((one) => one.outerHTML)")
        words = page.locator("main").inner_text() + " ".join(page.locator(".visually-hidden").all_text_contents())
        assert {"Reject", "Pass"} <= set(words.replace("\n", " ").split(" ")), address
        assert len(set(shapes)) >= 2, address
