"""The contact sheet: by score, picked with shift, decided at once."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from playwright.sync_api import Page

Press = Callable[..., None]
Post = Callable[..., dict[str, Any]]


def test_one_decision_for_a_selection_is_recorded_as_bulk_and_can_be_taken_back(
    page: "Page", client: httpx.Client, post: Post, press: Press, frame: Callable[..., bytes], good: bytes
) -> None:
    for number, blob in enumerate((60, 100, 80, 70)):
        post(frame(blob=blob, seed=number), f"P-{blob}")
    post(good, "P-0")
    page.goto("/triage")
    page.wait_for_selector("html[data-ready]")
    assert page.locator(".sheet .serial").all_inner_texts() == ["P-100", "P-80", "P-70", "P-60", "P-0"]
    boxes = page.locator(".sheet input")
    boxes.nth(1).click()
    boxes.nth(3).click(modifiers=["Shift"])
    assert page.locator("#selected").inner_text() == "3 selected"
    press(page, "g")
    page.wait_for_selector("#saved.saved")
    assert page.locator("#selected").inner_text() == "0 selected"
    assert page.locator(".sheet .decided:visible").all_inner_texts() == ["Overruled: good"] * 3

    parts = {part["part"]: part for part in client.get("/v1/parts").json()["parts"]}
    made = {name: client.get(f"/v1/parts/{part['id']}").json()["decisions"] for name, part in parts.items()}
    assert [len(made[name]) for name in ("P-100", "P-80", "P-70", "P-60", "P-0")] == [0, 1, 1, 1, 0]
    assert len({made[name][0]["bulk"] for name in ("P-80", "P-70", "P-60")} - {None}) == 1

    press(page, "z")
    page.wait_for_selector("#saved.saved")
    assert {part["review"] for part in client.get("/v1/parts").json()["parts"]} == {"unreviewed"}

    press(page, "a", "2")  # a dent, flagged or not: each part's decision follows from its verdict
    page.wait_for_selector("#saved.saved")
    parts = {part["part"]: part for part in client.get("/v1/parts").json()["parts"]}
    found = {name: (part["decision"], part["defect_class"]) for name, part in parts.items()}
    flagged = {f"P-{blob}": ("confirm", "dent") for blob in (100, 80, 70, 60)}
    assert found == flagged | {"P-0": ("missed_defect", "dent")}


def test_a_tile_leads_to_its_part_and_next_follows_the_scores(
    page: "Page", post: Post, press: Press, frame: Callable[..., bytes]
) -> None:
    parts = {blob: post(frame(blob=blob, seed=blob), f"P-{blob}")["part_id"] for blob in (60, 100, 80)}
    page.goto("/triage?verdict=reject")
    page.wait_for_selector("html[data-ready]")
    page.locator(".sheet .serial").first.click()
    page.wait_for_url(f"**/parts/{parts[100]}?verdict=reject&sort=score")
    press(page, "j")
    page.wait_for_url(f"**/parts/{parts[80]}?*")
    press(page, "j")
    page.wait_for_url(f"**/parts/{parts[60]}?*")
    press(page, "l")
    page.wait_for_url("**/triage?verdict=reject&sort=score")
