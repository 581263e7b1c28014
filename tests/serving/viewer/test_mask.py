"""Masks land on the pixels that they were painted on, whatever the zoom and the screen."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:
    from playwright.sync_api import Page

Press = Callable[..., None]
Post = Callable[..., dict[str, Any]]
SIDE = 64


class Painter:
    """A hand with a mouse: it goes where a frame pixel is seen."""

    def __init__(self, page: "Page") -> None:
        self.page = page

    def at(self, x: float, y: float) -> tuple[float, float]:
        where = self.page.evaluate("""() => {
            const stage = document.getElementById("stage"), canvas = document.getElementById("picture");
            const box = canvas.getBoundingClientRect(), { x, y, scale } = stage.dataset;
            return [box.left, box.top, Number(x), Number(y), Number(scale) * box.width / canvas.width];
        }""")
        left, top, x0, y0, scale = where
        return left + (x - x0) * scale, top + (y - y0) * scale

    def drag(self, *points: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point))
        self.page.mouse.up()

    def brush(self, size: int) -> None:
        self.page.locator("#brush-size").fill(str(size))
        self.page.evaluate("() => document.activeElement.blur()")


def disc(mask: NDArray[np.bool_], x: float, y: float, size: int) -> None:
    """Pixels whose middle lies within half of `size` of a point."""
    ys, xs = np.mgrid[:SIDE, :SIDE] + 0.5
    mask |= (xs - x) ** 2 + (ys - y) ** 2 <= (size / 2) ** 2


def stored(client: httpx.Client, frame_id: str) -> NDArray[np.bool_]:
    png = client.get(f"/v1/frames/{frame_id}/mask").raise_for_status().content
    assert (png[24], png[25]) == (1, 0), "one bit a pixel, gray"
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) > 0)


@pytest.fixture(params=[1, 2], ids=["one screen pixel a point", "two"])
def painting(
    request: pytest.FixtureRequest,
    client: httpx.Client,
    open_page: "Callable[..., Page]",
    post: Post,
    press: Press,
    good: bytes,
) -> tuple["Page", dict[str, Any]]:
    """A page at 8x zoom with the brush in hand, and the frame that it shows."""
    shown = post(good, "P-1")
    page = open_page(str(client.base_url).rstrip("/"), device_scale_factor=request.param)
    page.goto(f"/parts/{shown['part_id']}")
    page.wait_for_selector("#stage[data-drawn=true][data-mode=heat]")
    press(page, "0", *["+"] * 6, "p")
    page.wait_for_selector("#painting:not([hidden])")
    page.wait_for_function("() => Math.abs(document.getElementById('stage').dataset.scale - 8) < 1e-6")
    return page, shown


def save(page: "Page") -> None:
    page.keyboard.press("s")
    page.wait_for_function("() => document.getElementById('stage-note').textContent.includes('saved')")


def test_strokes_at_8x_land_on_the_exact_pixels(painting: tuple["Page", dict[str, Any]], client: httpx.Client) -> None:
    page, shown = painting
    hand = Painter(page)
    wanted = np.zeros((SIDE, SIDE), dtype=bool)

    hand.brush(1)
    hand.drag((30.5, 31.5))  # a click
    wanted[31, 30] = True
    hand.drag((20.1, 20.9), (29.9, 20.1))  # a line along a row, from the edges of its pixels
    wanted[20, 20:30] = True
    hand.drag((33.5, 33.5), (38.5, 38.5))  # a diagonal
    wanted[range(33, 39), range(33, 39)] = True
    hand.brush(8)
    hand.drag((45.2, 25.3))  # of even size: around the nearest corner of pixels
    disc(wanted, 45, 25, 8)
    hand.brush(5)
    hand.drag((25.9, 40.2))  # of odd size: around the middle of a pixel
    disc(wanted, 25.5, 40.5, 5)
    page.keyboard.press("e")
    hand.brush(3)
    hand.drag((45.5, 25.5))
    rubbed = np.zeros_like(wanted)
    disc(rubbed, 45.5, 25.5, 3)
    wanted &= ~rubbed
    save(page)

    np.testing.assert_array_equal(stored(client, shown["id"]), wanted)
    labels = client.get(f"/v1/parts/{shown['part_id']}/labels").json()
    (label,) = labels["frames"]
    assert (label["mask"]["area_px"], label["mask"]["drawn_by"]) == (int(wanted.sum()), "local")


def test_an_outline_is_filled_undone_and_done_again_and_the_mask_comes_back(
    painting: tuple["Page", dict[str, Any]], client: httpx.Client
) -> None:
    page, shown = painting
    hand = Painter(page)
    hand.brush(1)
    hand.drag((24.5, 24.5), (34.5, 24.5), (34.5, 32.5), (24.5, 32.5), (24.5, 24.5))
    page.keyboard.press("f")
    hand.drag((45.5, 40.5))  # outside: nothing closed is around it
    page.wait_for_function("() => document.getElementById('stage-note').textContent.includes('closed')")
    hand.drag((30.5, 30.5))
    for key in ("z", "z", "y", "y"):
        page.keyboard.press(key)
    save(page)
    wanted = np.zeros((SIDE, SIDE), dtype=bool)
    wanted[24:33, 24:35] = True
    np.testing.assert_array_equal(stored(client, shown["id"]), wanted)

    page.reload()
    page.wait_for_selector("html[data-ready]")
    page.keyboard.press("p")
    page.wait_for_selector("#painting:not([hidden])")
    page.keyboard.press("z")  # nothing was done since: nothing to undo
    save(page)
    np.testing.assert_array_equal(stored(client, shown["id"]), wanted)


def test_a_mask_begins_with_what_the_map_shows(
    page: "Page", client: httpx.Client, post: Post, press: Press, bad: bytes
) -> None:
    shown = post(bad, "P-1")
    page.goto(f"/parts/{shown['part_id']}")
    page.wait_for_selector("#stage[data-drawn=true][data-mode=heat]")
    press(page, "p")
    page.wait_for_selector("#painting:not([hidden])")
    save(page)
    wanted = np.zeros((SIDE, SIDE), dtype=bool)
    wanted[8:24, 40:56] = True  # where the defect was put; the map's pixels are 8 wide
    np.testing.assert_array_equal(stored(client, shown["id"]), wanted)
