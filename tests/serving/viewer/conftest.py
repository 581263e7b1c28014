"""A real Chromium, and a page that fails its test on any script error, refused policy, or request to another host."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from trialsight.home import Home

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

FRAMES = "/v1/lines/L1/frames"


@pytest.fixture
def client(promoted: Home, serve: Callable[..., httpx.Client]) -> Iterator[httpx.Client]:
    with serve(promoted) as client:
        yield client


@pytest.fixture
def open_page(browser: "Browser") -> "Iterator[Callable[..., Page]]":
    """`open_page(base_url, allowed=…, **context)`: a new context's page. Script errors whose text holds one of
    `allowed` are what the test itself caused."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def make(base_url: str, allowed: tuple[str, ...] = (), **options: Any) -> "Page":
        wanted = {"base_url": base_url, "locale": "en-US", "viewport": {"width": 1280, "height": 720}} | options
        context = browser.new_context(**wanted)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))

        def heard(kind: str, text: str) -> None:
            if kind == "error" and not any(part in text for part in allowed):
                troubles.append(text)

        page.on("console", lambda said: heard(said.type, said.text))
        own = (base_url, "blob:", "data:")
        page.on("request", lambda sent: None if sent.url.startswith(own) else troubles.append(f"outside: {sent.url}"))
        page.set_default_timeout(60_000)
        return page

    yield make
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def page(client: httpx.Client, open_page: "Callable[..., Page]") -> "Page":
    return open_page(str(client.base_url).rstrip("/"))


@pytest.fixture
def post(client: httpx.Client) -> Callable[..., dict[str, Any]]:
    """`post(data, "P-1", trial="T1")`: the result of a frame sent to line L1."""

    def send(data: bytes, part: str, **query: str) -> dict[str, Any]:
        headers = {"Content-Type": "image/png"}
        answer = client.post(FRAMES, content=data, headers=headers, params={"part": part, **query})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    return send


@pytest.fixture
def press() -> "Callable[..., None]":
    """A person presses a key once the page is there; a test would be faster than its scripts."""

    def do(page: "Page", *keys: str) -> None:
        for key in keys:
            page.wait_for_selector("html[data-ready]")
            page.keyboard.press(key)

    return do
