"""A shift's work by keyboard alone, under an input method, and through an outage of the service."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from trialsight.home import Home

if TYPE_CHECKING:
    from playwright.sync_api import Page

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
TRIALSIGHT = str(Path(sys.executable).with_name("trialsight"))
MAPS_FETCHED = """(count) => {
    const fetched = performance.getEntriesByType("resource").map((one) => new URL(one.name).pathname);
    return new Set(fetched.filter((path) => path.endsWith("/map"))).size >= count;
}"""
Press = Callable[..., None]
Post = Callable[..., dict[str, Any]]


def decided(client: httpx.Client, part_id: str) -> list[tuple[str, str | None]]:
    made = client.get(f"/v1/parts/{part_id}").json()["decisions"]
    return [(one["decision"], one["defect_class"]) for one in made]


def shown(page: "Page") -> str:
    """The part on the stage."""
    page.wait_for_selector("html[data-ready]")
    frame: str = page.evaluate("() => JSON.parse(document.getElementById('stage').dataset.frame).part")
    return frame


def test_thirty_parts_by_keyboard_alone(
    page: "Page", client: httpx.Client, post: Post, press: Press, frame: Callable[..., bytes]
) -> None:
    parts = [post(frame(blob=100, seed=number), f"P-{number:02}")["part_id"] for number in range(30)]
    page.goto("/?verdict=reject&review=unreviewed")
    press(page, "Enter")
    page.wait_for_url("**/parts/**")
    wanted = {}
    for number in range(30):
        part = shown(page)
        assert part == parts[-1 - number], "newest first, each once"
        page.wait_for_selector("#stage[data-drawn=true]")
        key = ("c", "g", "m", "u", "3")[number % 5]
        wanted[part] = [
            ("confirm", None), ("overrule_good", None), ("missed_defect", None), ("unsure", None), ("confirm", "crack"),
        ][number % 5]  # fmt: skip
        press(page, key)
        if number < 29:
            page.wait_for_url(lambda url, part=part: part not in url)
    page.wait_for_selector("#saved.saved")
    assert {part: decided(client, part) for part in parts} == {part: [made] for part, made in wanted.items()}
    assert client.get("/v1/parts", params={"review": "unreviewed"}).json()["parts"] == []

    press(page, "z")  # the last one was wrong: back to it, and it is open again
    page.wait_for_selector("#saved.saved")
    page.wait_for_selector("#history .undone")
    assert decided(client, parts[0])[-1] == ("undo", None)
    (still_open,) = client.get("/v1/parts", params={"review": "unreviewed"}).json()["parts"]
    assert still_open["id"] == parts[0]


def test_keys_work_while_an_input_method_composes(
    page: "Page", client: httpx.Client, post: Post, press: Press, bad: bytes
) -> None:
    part = post(bad, "P-1")["part_id"]
    page.goto(f"/parts/{part}")
    devtools = page.context.new_cdp_session(page)

    def process(code: str) -> None:
        """A key as the browser tells it while an input method has it."""
        event = {"key": "Process", "code": code, "windowsVirtualKeyCode": 229}
        devtools.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **event})
        devtools.send("Input.dispatchKeyEvent", {"type": "keyUp", **event})

    press(page, "n")
    devtools.send("Input.imeSetComposition", {"text": "mao'ci", "selectionStart": 6, "selectionEnd": 6})
    for code in ("KeyC", "KeyG", "Enter"):
        process(code)  # these pick a word: nothing is decided, and the field is not left
    assert page.evaluate("() => document.activeElement.id") == "note"
    devtools.send("Input.insertText", {"text": "毛刺"})
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") != "note"
    assert decided(client, part) == []
    process("KeyM")  # the input method is still on, and has this key too
    page.wait_for_selector("#saved.saved")
    assert decided(client, part) == [("missed_defect", None)]
    assert client.get(f"/v1/parts/{part}").json()["decisions"][0]["note"] == "毛刺"


COMPOSED = {  # page, key, and what then holds
    "queue": (
        "/?trial=T1",
        "KeyN",
        "() => location.search === '?trial=T1' && document.activeElement.tagName === 'MAIN'",
    ),
    "triage": ("/triage", "KeyA", "() => [...document.querySelectorAll('.sheet input')].every((one) => one.checked)"),
    "thresholds": ("/thresholds", "Digit2", "() => document.activeElement.id === 't2'"),
    "wall": ("/wall", "KeyS", "() => document.querySelector('[data-action=sound]').ariaPressed === 'true'"),
    "book": ("/book", "Digit3", "() => document.activeElement.id === 'class-crack'"),
}


def test_keys_work_while_an_input_method_composes_on_every_page_that_has_some(
    page: "Page", post: Post, press: Press, bad: bytes
) -> None:
    post(bad, "P-1", trial="T1")
    devtools = page.context.new_cdp_session(page)
    page.goto("/")
    page.wait_for_selector("html[data-ready]")
    tables = set(page.evaluate("async () => Object.keys((await import('/static/keys.js')).KEYS)"))
    assert tables == {"plain", "part", "painting", *COMPOSED}, "a page with keys is missing here"
    for address, code, holds in COMPOSED.values():
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        event = {"key": "Process", "code": code, "windowsVirtualKeyCode": 229}
        devtools.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **event})
        page.wait_for_function(holds)


@contextmanager
def service(home: Home, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [TRIALSIGHT, "serve", "--home", str(home.root), "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def test_what_was_pressed_while_the_service_was_killed_is_there_afterwards_once(
    promoted: Home, open_page: "Callable[..., Page]", frame: Callable[..., bytes], press: Press
) -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    pressed: dict[str, str] = {}
    keys = {"c": "confirm", "g": "overrule_good"}

    def decide(page: "Page", key: str) -> None:
        part = shown(page)
        pressed.setdefault(part, keys[key])
        page.keyboard.press(key)

    with service(promoted, port) as process:
        with httpx.Client(base_url=url, timeout=60) as client:
            for number in range(14):
                data = frame(blob=100, seed=number)
                assert client.post(FRAMES, content=data, headers=PNG, params={"part": f"P-{number}"}).status_code == 200
            newest = client.get("/v1/parts").json()["parts"][0]["id"]
        page = open_page(url, allowed=("net::ERR", "Failed to load resource"))
        page.goto(f"/parts/{newest}?review=unreviewed")
        for key in "cg":
            before = shown(page)
            decide(page, key)
            page.wait_for_url(lambda now, before=before: before not in now)
        page.wait_for_function(MAPS_FETCHED, arg=5)  # with those of the two parts that come next
        decide(page, "c")
        process.kill()  # perhaps before the answer, perhaps after
    for _ in range(4):
        decide(page, "c")  # goes on with what is here, then stays on one part
        page.wait_for_timeout(150)
    page.wait_for_selector("#saved.waiting")
    assert json.loads(page.evaluate("() => JSON.stringify(localStorage.length)")) >= 1
    with service(promoted, port), httpx.Client(base_url=url, timeout=60) as client:
        page.wait_for_selector("#saved.saved")
        for key in "gcg":
            before = shown(page)
            if before not in pressed:
                decide(page, key)
            page.wait_for_url(lambda now, before=before: before not in now)
        page.wait_for_selector("#saved.saved")
        assert len(pressed) >= 6
        found = {part: [made for made, _ in decided(client, part)] for part in pressed}
        assert found == {part: [made] for part, made in pressed.items()}
