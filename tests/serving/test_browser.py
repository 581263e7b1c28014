"""The viewer in a real Chromium: what a reviewer sees and presses is what is stored."""

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from trialsight.home import Home

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
# Without these, Chromium calls home at every start; closed networks refuse it many times over.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Playwright's own pipes
]


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def client(promoted: Home, serve: Callable[..., httpx.Client]) -> Iterator[httpx.Client]:
    with serve(promoted) as client:
        yield client


@pytest.fixture
def page(browser: "Browser", client: httpx.Client) -> "Iterator[Page]":
    """A page that fails its test on any script error, refused policy, or request to another host."""
    context = browser.new_context(
        base_url=str(client.base_url), locale="en-US", viewport={"width": 1280, "height": 720}
    )
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda said: troubles.append(said.text) if _is_trouble(said.type, said.text) else None)
    page.on("request", lambda sent: None if _own(sent.url, client) else troubles.append(f"outside: {sent.url}"))
    page.set_default_timeout(15_000)
    yield page
    context.close()
    assert troubles == []


def _is_trouble(kind: str, text: str) -> bool:
    return kind == "error" and "net::ERR_FAILED" not in text  # what a test itself cut off


def _own(url: str, client: httpx.Client) -> bool:
    return url.startswith((str(client.base_url), "blob:", "data:"))


def post(client: httpx.Client, data: bytes, part: str) -> dict[str, Any]:
    found: dict[str, Any] = client.post(FRAMES, content=data, headers=PNG, params={"part": part}).json()
    return found


PAINTED = """() => {
  const canvas = document.getElementById("overlay");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const painted = [];
  for (let i = 3; i < data.length; i += 4) if (data[i] > 0) painted.push((i - 3) / 4);
  const xs = painted.map((at) => at % canvas.width), ys = painted.map((at) => Math.floor(at / canvas.width));
  return { count: painted.length, left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys),
           bottom: Math.max(...ys) };
}"""


def mode(page: "Page", wanted: str) -> dict[str, float]:
    """What is painted once the overlay shows `wanted`."""
    page.wait_for_selector(f"#overlay[data-mode={wanted}]")
    found: dict[str, float] = page.evaluate(PAINTED)
    return found


def press(page: "Page", key: str) -> None:
    """A person presses a key once the page is there; a test would be faster than its scripts."""
    page.wait_for_selector("html[data-keys=on]")
    page.keyboard.press(key)


def test_a_reviewer_finds_a_part_looks_and_decides_by_keyboard(
    page: "Page", client: httpx.Client, good: bytes, bad: bytes, frame: Callable[..., bytes]
) -> None:
    older = post(client, frame(blob=100, seed=5), "P-0")
    post(client, good, "P-1")
    flagged = post(client, bad, "P-2")
    page.goto("/")
    assert page.locator(".card .serial").all_inner_texts() == ["P-2", "P-1", "P-0"]
    assert page.locator(".card").first.locator(".badge").inner_text() == "Reject"
    page.wait_for_function("() => document.querySelector('.card img').naturalWidth > 0")

    page.locator(".chip.reject").click()
    page.wait_for_url("**/?verdict=reject")
    assert page.locator(".card .serial").all_inner_texts() == ["P-2", "P-0"]
    press(page, "Enter")
    page.wait_for_url(f"**/parts/{flagged['part_id']}?verdict=reject")
    assert page.locator(".badge.large").inner_text() == "Reject"

    heat = mode(page, "heat")
    assert heat["count"] > 200
    assert heat["left"] > 24, "only the defect in the upper right is coloured"
    assert heat["bottom"] < 40
    press(page, "r")
    contour = mode(page, "contour")
    assert contour["count"] > 50
    assert 36 <= contour["left"] <= contour["right"] <= 60
    press(page, "o")
    assert mode(page, "off")["count"] == 0

    page.locator("#note").fill("a burr")
    page.locator("#note").press("g")  # typed into the note, not a decision
    page.locator("#note").evaluate("element => element.blur()")
    press(page, "g")
    page.wait_for_selector("#saved.saved")
    assert "Overruled: good" in page.locator("#history li").first.inner_text()
    (made,) = client.get(f"/v1/parts/{flagged['part_id']}").json()["decisions"]
    assert (made["decision"], made["note"], made["frame_id"]) == ("overrule_good", "a burrg", flagged["id"])

    press(page, "j")
    page.wait_for_url(f"**/parts/{older['part_id']}?verdict=reject")
    press(page, "k")
    page.wait_for_url(f"**/parts/{flagged['part_id']}?verdict=reject")
    assert page.locator("button[data-action=overrule_good]").get_attribute("aria-pressed") == "true"
    press(page, "l")
    page.wait_for_url("**/?verdict=reject")
    assert page.locator(".card .decided").inner_text() == "Overruled: good"


@pytest.mark.parametrize(("key", "decision"), [("c", "confirm"), ("m", "missed_defect"), ("u", "unsure")])
def test_one_key_one_decision_also_under_a_chinese_input_method(
    page: "Page", client: httpx.Client, bad: bytes, key: str, decision: str
) -> None:
    part = post(client, bad, "P-1")["part_id"]
    page.goto(f"/parts/{part}")
    mode(page, "heat")
    page.wait_for_selector("html[data-keys=on]")
    page.evaluate(
        "code => document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'Process', code, bubbles: true}))",
        f"Key{key.upper()}",
    )
    page.wait_for_selector("#saved.saved")
    assert [made["decision"] for made in client.get(f"/v1/parts/{part}").json()["decisions"]] == [decision]


def test_new_parts_are_announced_and_shown_on_request(
    page: "Page", client: httpx.Client, good: bytes, bad: bytes
) -> None:
    post(client, good, "P-0")
    page.goto("/?verdict=reject")
    page.wait_for_selector(".live.up")
    assert not page.locator("#new").is_visible()
    post(client, good, "P-1")
    post(client, bad, "P-2")
    post(client, bad, "P-3")
    page.wait_for_function("() => document.getElementById('new').textContent === '2 new'")
    assert page.locator(".card").count() == 0, "the list does not jump"
    press(page, "n")
    page.wait_for_selector(".card")
    assert page.locator(".card .serial").all_inner_texts() == ["P-3", "P-2"]


def test_both_languages_and_the_key_sheet(page: "Page", client: httpx.Client, bad: bytes) -> None:
    part = post(client, bad, "P-1")["part_id"]
    page.goto(f"/parts/{part}")
    assert page.locator(".badge.large").inner_text() == "Reject"
    page.get_by_text("简体中文").click()
    page.wait_for_selector("html[lang=zh-Hans]")
    assert page.locator(".badge.large").inner_text() == "不合格"
    press(page, "?")
    page.wait_for_selector("dialog[open]")
    shown = page.locator("dialog .keys").inner_text()
    assert "标记漏检缺陷" in shown
    assert "key." not in shown
    press(page, "c")  # the sheet is open: no decision
    press(page, "Escape")
    assert client.get(f"/v1/parts/{part}").json()["decisions"] == []


def test_a_decision_that_could_not_be_saved_says_so(page: "Page", client: httpx.Client, bad: bytes) -> None:
    part = post(client, bad, "P-1")["part_id"]
    page.goto(f"/parts/{part}")
    page.route("**/decisions", lambda route: route.abort())
    press(page, "c")
    page.wait_for_selector("#saved.failed")
    page.unroute("**/decisions")
    press(page, "c")
    page.wait_for_selector("#saved.saved")
    assert len(client.get(f"/v1/parts/{part}").json()["decisions"]) == 1


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_colours_follow_the_readers_scheme(page: "Page", client: httpx.Client, bad: bytes, scheme: str) -> None:
    post(client, bad, "P-1")
    page.emulate_media(color_scheme=scheme)
    page.goto("/")
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    level = sum(int(value) for value in ground.strip("rgb()").split(",")) / 3
    assert (level < 60) if scheme == "dark" else (level > 200)
