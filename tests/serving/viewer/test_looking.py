"""Looking at a part: opacity and threshold of the reader's own, mm under the pointer, two fingers on a tablet."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from trialsight.home import Home

if TYPE_CHECKING:
    from playwright.sync_api import Page

Serve = Callable[..., Any]
PNG = {"Content-Type": "image/png"}
PAINTED = """() => {
    const canvas = document.getElementById("overlay");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let [count, most] = [0, 0];
    for (let i = 3; i < data.length; i += 4) if (data[i]) [count, most] = [count + 1, Math.max(most, data[i])];
    return [count, most];
}"""


def drawn(page: "Page") -> None:
    """The stage draws with the next animation frame; after the one behind it, it has."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.fixture
def client(promoted: Home, serve: Serve) -> Any:
    """The recipe's scale is 0.05 mm a pixel."""
    card = promoted.package("blob", "1") / "card.json"
    said = json.loads(card.read_text())
    said["judging"]["scale"] = {"mm_per_px": 0.05}
    card.write_text(json.dumps(said))
    with serve(promoted) as client:
        yield client


def test_sliders_and_pointer_say_and_show_what_they_do(page: "Page", client: httpx.Client, bad: bytes) -> None:
    part = client.post("/v1/lines/L1/frames?part=P-1", content=bad, headers=PNG).json()["part_id"]
    page.goto(f"/parts/{part}")
    page.wait_for_selector("#stage[data-drawn=true][data-mode=heat]")
    drawn(page)
    whole, strong = page.evaluate(PAINTED)
    page.locator("#opacity").fill("20")
    drawn(page)
    count, faint = page.evaluate(PAINTED)
    assert count > 0.9 * whole
    assert faint < 0.5 * strong
    page.locator("#opacity").fill("100")
    said = page.locator("#threshold-value").inner_text()
    page.locator("#threshold").fill("5")  # below what a good surface scores
    drawn(page)
    assert page.evaluate(PAINTED)[0] > 1.5 * whole
    assert page.locator("#threshold-value").inner_text() != said
    page.locator("#threshold").dblclick(position={"x": 5, "y": 20})  # back to the model's own
    drawn(page)
    assert page.locator("#threshold-value").inner_text() == said
    assert page.evaluate(PAINTED)[0] == pytest.approx(whole, rel=0.1)

    box = page.locator("#stage").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator("#probe", has_text="mm").wait_for()
    words = page.locator("#probe").inner_text()
    x = float(words.split("x ")[1].split(",")[0])
    assert f"{x * 0.05:.1f}"[:3] in words.split("·")[1]
    assert "score" in words


def test_two_fingers_zoom_and_one_moves_the_picture(
    open_page: "Callable[..., Page]", client: httpx.Client, bad: bytes
) -> None:
    tablet = {"viewport": {"width": 1280, "height": 800}, "has_touch": True, "is_mobile": True}
    page = open_page(str(client.base_url).rstrip("/"), **tablet)
    part = client.post("/v1/lines/L1/frames?part=P-1", content=bad, headers=PNG).json()["part_id"]
    page.goto(f"/parts/{part}")
    page.wait_for_selector("#stage[data-drawn=true]")
    devtools = page.context.new_cdp_session(page)
    box = page.locator("#stage").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def touch(kind: str, *apart: float) -> None:
        points = [{"x": middle[0] + one, "y": middle[1], "id": i} for i, one in enumerate(apart)]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def view() -> tuple[float, float]:
        drawn(page)
        scale, x = page.evaluate("() => [stage.dataset.scale, stage.dataset.x].map(Number)")
        return scale, x

    before, _ = view()
    touch("touchStart", -50, 50)
    for step in range(1, 11):
        touch("touchMove", -50 - 5 * step, 50 + 5 * step)
    touch("touchEnd")
    larger, left = view()
    assert larger == pytest.approx(2 * before, rel=0.1)
    touch("touchStart", 0)
    for step in range(1, 6):
        touch("touchMove", 20 * step)
    touch("touchEnd")
    scale, moved = view()
    assert scale == larger
    assert moved < left - 1
    assert page.evaluate("() => visualViewport.scale") == 1, "the page itself is not zoomed"
