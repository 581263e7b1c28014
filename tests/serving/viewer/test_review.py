"""A reviewer finds a part, looks at it, decides: what is seen and pressed is what is stored."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

Post = Callable[..., dict[str, Any]]
Press = Callable[..., None]
Frame = Callable[..., bytes]

PAINTED = """() => {
  const { x, y, scale } = document.getElementById("stage").dataset;
  const canvas = document.getElementById("overlay");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const at = [];
  for (let i = 3; i < data.length; i += 4) if (data[i] > 0) at.push((i - 3) / 4);
  const xs = at.map((i) => Number(x) + (i % canvas.width) / Number(scale));
  const ys = at.map((i) => Number(y) + Math.floor(i / canvas.width) / Number(scale));
  const low = (all) => all.reduce((a, b) => Math.min(a, b), Infinity);
  const high = (all) => all.reduce((a, b) => Math.max(a, b), -Infinity);
  return { count: at.length, left: low(xs), right: high(xs), top: low(ys), bottom: high(ys) };
}"""


def painted(page: "Page", mode: str) -> dict[str, float]:
    """Where the overlay is painted, in frame pixels, once it shows `mode`."""
    page.wait_for_selector(f"#stage[data-mode={mode}][data-drawn=true]")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found: dict[str, float] = page.evaluate(PAINTED)
    return found


def saved(page: "Page") -> None:
    page.wait_for_selector("#saved.saved")


def decisions(client: httpx.Client, part_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/v1/parts/{part_id}").json()["decisions"]
    return found


def test_a_reviewer_finds_a_part_looks_and_decides_by_keyboard(
    page: "Page", client: httpx.Client, post: Post, press: Press, good: bytes, bad: bytes, frame: Frame
) -> None:
    older = post(frame(blob=100, seed=5), "P-0")
    post(good, "P-1")
    flagged = post(bad, "P-2")
    page.goto("/")
    assert page.locator(".card .serial").all_inner_texts() == ["P-2", "P-1", "P-0"]
    assert page.locator(".card").first.locator(".badge").inner_text() == "Reject"
    assert page.locator(".card svg:not(.shape) path").count() == 2, "both defects are outlined on their thumbnails"
    page.wait_for_function("() => document.querySelector('.card img').naturalWidth > 0")

    page.locator(".chip.reject").click()
    page.wait_for_url("**/?verdict=reject")
    page.wait_for_selector("html[data-ready]")
    assert page.locator(".card .serial").all_inner_texts() == ["P-2", "P-0"]
    press(page, "Enter")
    page.wait_for_url(f"**/parts/{flagged['part_id']}?verdict=reject")
    assert page.locator(".badge.large").inner_text() == "Reject"

    heat = painted(page, "heat")
    assert heat["count"] > 200
    assert heat["left"] > 24, "only the defect in the upper right is coloured"
    assert heat["bottom"] < 40
    press(page, "r")
    contour = painted(page, "contour")
    assert contour["count"] > 50
    assert 36 <= contour["left"] <= contour["right"] <= 60
    press(page, "o")
    assert painted(page, "off")["count"] == 0

    press(page, "n")
    page.keyboard.type("a burr, cg")  # typed into the note, no decisions
    page.keyboard.press("Enter")
    press(page, "g")
    page.wait_for_url(f"**/parts/{older['part_id']}?verdict=reject")  # on to the next by itself
    saved(page)
    (made,) = decisions(client, flagged["part_id"])
    assert (made["decision"], made["note"], made["frame_id"]) == ("overrule_good", "a burr, cg", flagged["id"])

    press(page, "k")
    page.wait_for_url(f"**/parts/{flagged['part_id']}?verdict=reject")
    page.wait_for_selector("html[data-ready]")
    assert page.locator("button[data-action=overrule_good]").get_attribute("aria-pressed") == "true"
    assert "a burr, cg" in page.locator("#history").inner_text()
    press(page, "l")
    page.wait_for_url("**/?verdict=reject")
    page.wait_for_selector("html[data-ready]")
    assert page.locator(".card .decided").inner_text() == "Overruled: good"


def test_every_key_of_the_table_decides_what_it_says(
    page: "Page", client: httpx.Client, post: Post, press: Press, bad: bytes
) -> None:
    part = post(bad, "P-1")["part_id"]
    page.goto(f"/parts/{part}")
    page.wait_for_selector("html[data-ready]")
    table = page.evaluate("async () => (await import('/static/keys.js')).KEYS.part")
    kinds = ("confirm", "overrule_good", "missed_defect", "unsure")
    keys = [key for key in table if key["action"] in (*kinds, "class")]
    assert len(keys) == 4 + 9
    for number, key in enumerate(keys, start=1):
        page.keyboard.press(key["code"])
        saved(page)
        made = decisions(client, part)
        assert len(made) == number, key
        classes = [one["name"] for one in client.get("/v1/defect-classes").json()]
        wanted = (key["action"], None) if key["action"] in kinds else ("confirm", classes[key["value"] - 1])
        assert (made[-1]["decision"], made[-1]["defect_class"]) == wanted
        page.reload()
        page.wait_for_selector("html[data-ready]")
    page.keyboard.press("z")
    saved(page)
    assert decisions(client, part)[-1]["undoes"] == made[-1]["key"]


def test_new_parts_are_announced_and_shown_on_request(
    page: "Page", post: Post, press: Press, good: bytes, bad: bytes
) -> None:
    post(good, "P-0")
    page.goto("/?verdict=reject")
    page.wait_for_selector(".live.up")
    assert not page.locator("#new").is_visible()
    post(good, "P-1")
    post(bad, "P-2")
    post(bad, "P-3")
    page.wait_for_function("() => document.getElementById('new').textContent === '2 new'")
    assert page.locator(".card").count() == 0, "the list does not jump"
    press(page, "n")
    page.wait_for_selector(".card")
    assert page.locator(".card .serial").all_inner_texts() == ["P-3", "P-2"]


def test_the_language_changes_under_the_readers_hands(
    page: "Page", client: httpx.Client, post: Post, press: Press, bad: bytes
) -> None:
    part = post(bad, "P-1")["part_id"]
    page.goto(f"/parts/{part}")
    assert page.locator(".badge.large").inner_text() == "Reject"
    page.locator("#note").fill("边缘毛刺")
    page.get_by_text("简体中文").click()
    page.wait_for_selector("html[lang=zh-Hans][data-ready]")
    assert page.locator(".badge.large").inner_text() == "不合格"
    assert page.locator("#note").input_value() == "边缘毛刺"
    press(page, "?")
    page.wait_for_selector("dialog[open]")
    shown = page.locator("dialog .keys").inner_text()
    assert "标记漏检缺陷" in shown
    assert "key." not in shown
    press(page, "c")  # the sheet is open: no decision
    press(page, "Escape")
    assert decisions(client, part) == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_colours_follow_the_readers_scheme(page: "Page", post: Post, bad: bytes, scheme: str) -> None:
    post(bad, "P-1")
    page.emulate_media(color_scheme=scheme)
    page.goto("/")
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    level = sum(int(value) for value in ground.strip("rgb()").split(",")) / 3
    assert (level < 60) if scheme == "dark" else (level > 200)
