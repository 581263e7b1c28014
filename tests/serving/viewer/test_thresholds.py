"""The threshold page: T1 and T2 by pointer, arrow keys and numbers, counted at once, saved, and live on the line."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

Post = Callable[..., dict[str, Any]]


def row(page: "Page", name: str) -> list[str]:
    cells: list[str] = page.locator(f"tr[data-row={name}] td").all_inner_texts()
    return [cell.replace("\n", " ") for cell in cells]


@pytest.fixture
def decided(client: httpx.Client, post: Post, frame: Callable[..., bytes]) -> None:
    """Scores of about 0.9, 30 and 50 that are good, of 35 and 100 that are defective, and one of 31 that waits."""
    for part, blob, decision in (
        ("P-1", 0, "confirm"),
        ("P-2", 30, "overrule_good"),
        ("P-3", 50, "overrule_good"),
        ("P-4", 35, "confirm"),
        ("P-5", 100, "confirm"),
        ("P-6", 31, None),
    ):
        shown = post(frame(blob=blob, seed=blob), part)
        if decision:
            answer = client.post(f"/v1/parts/{shown['part_id']}/decisions", json={"decision": decision})
            assert answer.status_code == 201, answer.text


@pytest.mark.usefixtures("decided")
def test_moved_counted_saved_and_live_and_taken_back(
    page: "Page", client: httpx.Client, post: Post, frame: Callable[..., bytes], press: Callable[..., None]
) -> None:
    page.goto("/thresholds")
    page.wait_for_selector("#cuts[data-drawn=true]")
    assert row(page, "overkill") == ["33.3 % 1 / 3"] * 2
    assert row(page, "load") == ["50.0 % 3 / 6"] * 2

    press(page, "2", "Shift+ArrowRight", "ArrowRight", "ArrowLeft")
    t2 = page.locator("#t2")
    assert float(t2.get_attribute("aria-valuenow") or 0) > 40
    page.get_by_label("T2", exact=True).fill("60")
    assert row(page, "overkill") == ["33.3 % 1 / 3", "0.0 % 0 / 3"]
    handle, plot = page.locator("#t1 .flag").bounding_box(), page.locator("#plot").bounding_box()
    assert handle is not None
    assert plot is not None
    page.mouse.move(handle["x"] + 5, handle["y"] + 5)
    page.mouse.down()
    low, high = (float(page.locator("#t1").get_attribute(f"aria-value{end}") or 0) for end in ("min", "max"))
    page.mouse.move(handle["x"] + 5 + (38 - 20) / (high - low) * plot["width"], handle["y"] + 5, steps=5)
    page.mouse.up()
    assert float(page.locator("#t1").get_attribute("aria-valuenow") or 0) == pytest.approx(38, abs=0.2)
    assert row(page, "escape") == ["0.0 % 0 / 2", "50.0 % 1 / 2"]
    press(page, "r")
    assert row(page, "t1") == ["20.00", "20.00"]
    page.locator("body").click(position={"x": 5, "y": 5})
    press(page, "c")  # a defect of 35 lies among good parts of 30 and 50: those two are looked at
    assert row(page, "escape")[1] == "0.0 % 0 / 2"
    assert row(page, "overkill")[1] == "0.0 % 0 / 3"
    t1, t2_value = (float(page.locator(f"#{name}").get_attribute("aria-valuenow") or 0) for name in ("t1", "t2"))
    assert 30 < t1 < 36 < 50 < t2_value

    page.get_by_role("button", name="Save and go live").click()
    assert client.get("/v1/recipes/blob/thresholds").json()["based_on"] is None, "not without a reason"
    page.get_by_label("Reason").fill("cheapest")
    page.get_by_role("button", name="Save and go live").click()
    page.get_by_text("✓ Saved").wait_for()
    assert post(frame(blob=30, seed=30), "P-7")["verdict"] == "pass"
    assert row(page, "t1")[0] == f"{t1:.2f}"

    page.wait_for_selector("#cuts[data-drawn=true]")
    press(page, "k")
    page.get_by_label("Reason").fill("a defect passed")
    page.get_by_role("button", name="Save and go live").click()
    page.locator(".history li", has_text="Back to the calibration").wait_for()
    assert post(frame(blob=30, seed=30), "P-8")["verdict"] == "review"
    page.get_by_role("button", name="Take these").click()
    assert float(page.locator("#t1").get_attribute("aria-valuenow") or 0) == pytest.approx(t1)


def test_a_defect_that_the_package_knows_can_not_be_let_pass(
    open_page: "Callable[..., Page]", client: httpx.Client
) -> None:
    page = open_page(str(client.base_url).rstrip("/"), allowed=("409",))
    page.goto("/thresholds")
    page.wait_for_selector("html[data-ready]")
    page.get_by_label("T2", exact=True).fill("200")
    page.get_by_label("T1", exact=True).fill("150")
    page.get_by_label("Reason").fill("all shall pass")
    page.get_by_role("button", name="Save and go live").click()
    page.locator("#said", has_text="bad.png").wait_for()
    assert client.get("/v1/recipes/blob").status_code == 404
