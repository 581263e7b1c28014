"""The defect book's page: an engineer writes it, the part page's keys and its descriptions come from it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from playwright.sync_api import Page

Post = Callable[..., dict[str, Any]]


def test_an_engineer_writes_the_book_and_the_part_page_goes_by_it(
    page: "Page",
    client: httpx.Client,
    post: Post,
    press: Callable[..., None],
    good: bytes,
    bad: bytes,
    tmp_path: Path,
) -> None:
    part = post(bad, "P-1")
    page.goto("/book")
    press(page, "3")
    assert page.evaluate("() => document.activeElement.id") == "class-crack"
    crack = page.locator("#class-crack")
    crack.get_by_text("Change", exact=True).click()
    crack.get_by_label("Name in English").fill("Hairline crack")
    crack.get_by_label("Description in English").fill("Thinner than a hair,\nlonger than 1 mm.")
    crack.get_by_label("Description in Chinese").fill("比头发细，长于 1 mm。")
    crack.get_by_role("button", name="Save").click()
    page.locator("#class-crack .description", has_text="longer than 1 mm").wait_for()

    (tmp_path / "glare.png").write_bytes(good)
    crack.get_by_text("Change", exact=True).click()
    crack.get_by_label("Picture").set_input_files(tmp_path / "glare.png")
    crack.get_by_label("Shows").select_option("counter")
    crack.get_by_label("Note").fill("a reflection")
    crack.get_by_role("button", name="Add").click()
    page.locator("#class-crack .case.counter img").wait_for()

    page.goto(f"/parts/{part['part_id']}")
    button = page.locator(".classes [data-number='3']")
    assert "Hairline crack" in button.inner_text()
    assert "Thinner than a hair" in (button.get_attribute("title") or "")
    page.get_by_text("Add this frame to the defect book").click()
    page.locator(".to-book select[name=class]").select_option("crack")
    page.locator(".to-book").get_by_role("button", name="Add").click()
    page.locator(".to-book output", has_text="✓").wait_for()
    page.goto("/book?lang=zh")
    page.locator("#class-crack .case.example .thumb path").wait_for(state="attached")
    assert "比头发细" in page.locator("#class-crack .description").inner_text()

    page.locator("#class-crack .case.counter").get_by_role("button", name="移除").click()
    page.locator("#class-crack .case.counter img").wait_for(state="detached")
    page.locator("#class-other").get_by_text("修改", exact=True).click()
    remove = page.locator("#class-other .danger")
    remove.click()
    assert "再按一次" in remove.inner_text()
    remove.click()
    page.locator("#class-other").wait_for(state="detached")
    page.locator(".contents summary").click()
    page.locator("[data-new] input[name=name]").fill("spatter")
    page.locator("[data-new]").get_by_label("英文名称").fill("Spatter")
    page.locator("[data-new]").get_by_label("中文名称").fill("飞溅")
    page.locator("[data-new] select").select_option("9")
    page.locator("[data-new] button").click()
    page.locator("#class-spatter", has_text="飞溅").wait_for()
    found = {one["name"]: one["number"] for one in client.get("/v1/defect-classes").json()}
    assert (found["spatter"], found.get("other")) == (9, None)
