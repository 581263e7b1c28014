"""The viewer benchmark: key press to next part drawn, with few and many parts stored; a 20-megapixel frame's zoom."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import httpx

from benchmarks.measure.machine import describe_machine
from benchmarks.measure.progress import say
from benchmarks.measure.report import Report, Table, Target, write_report
from benchmarks.store.stored import add_large_frame, fill
from trialsight.errors import TrialsightError
from trialsight_serving.demo.processes import background, check_port, run_step, wait_ready

if TYPE_CHECKING:
    from playwright.sync_api import Page

LISTS = {
    "rejects, nobody reviewed": "verdict=reject&review=unreviewed",
    "rejects or reviews of a line": "verdict=reject&verdict=review&line=L1",
    "reviewers disagree": "review=disagreed",
    "by score": "sort=score&verdict=reject",
    "a score range": "score_min=0.5&score_max=0.6",
    "decided by me": "review=mine",
}
INTRODUCTION = """A real Chromium goes through a real service by keyboard: each press decides about a part, and the time
runs until the picture of the next one is on its canvas. The same is done with few parts stored and with many; the ratio
says what the store's size costs. The milliseconds are this machine's in this hour."""

WATCH = """() => {
  window.drawn = [];
  const shown = () => {
    const stage = document.getElementById("stage");
    return stage?.dataset.drawn === "true" ? JSON.parse(stage.dataset.frame).part : null;
  };
  addEventListener("keydown", () => {
    const [before, started] = [shown(), performance.now()];
    const look = () => {
      const now = shown();
      if (now && now !== before) window.drawn.push(performance.now() - started);
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, { capture: true });
}"""
ARRIVED = "count => window.drawn.length > count && document.querySelector('html[data-ready]')"
ZOOM = """async () => {
  const stage = document.getElementById("stage"), box = stage.getBoundingClientRect(), gaps = [];
  let last = performance.now();
  for (let i = 0; i < 240; i++) {
    const deltaY = Math.floor(i / 60) % 2 ? 120 : -120;
    stage.dispatchEvent(new WheelEvent("wheel", { deltaY, clientX: box.left + box.width * 0.7,
                                                  clientY: box.top + box.height * 0.3, cancelable: true }));
    await new Promise((done) => requestAnimationFrame(done));
    const now = performance.now();
    gaps.push(now - last);
    last = now;
  }
  return gaps;
}"""


@dataclass(frozen=True)
class Seen:
    """Milliseconds: of key presses at a reviewer's pace and without a pause, and of a list's first page by filter."""

    parts: int
    paced_ms: list[float]
    hurried_ms: list[float]
    lists_ms: dict[str, float]


def run(place: Path, docs: Path, few: int, many: int, presses: int) -> Path:
    """Measure all, write the report, give its path."""
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        home = Path(scratch) / "home"
        say("simulating and training a bracket")
        _prepare(Path(scratch), home)
        found = []
        for parts in (few, many):
            fill(home, parts)
            with _service(home) as url:
                found.append(_measure(url, parts, presses))
            say(f"{parts:,} parts: {median(found[-1].paced_ms):.0f} ms from key to next part")
        part = add_large_frame(home, 5120, 4096)
        with _service(home) as url:
            gaps = _zoom(url, part)
        say(f"20 megapixels: longest gap between two frames of the screen {max(gaps):.0f} ms")
    report = Report(
        name="viewer",
        title="Viewer: from key press to the next part",
        introduction=INTRODUCTION,
        machine=describe_machine(),
        repeat="make bench ARGS=viewer",
        tables=_tables(found, gaps),
        targets=_targets(found, gaps),
    )
    return write_report(report, docs)


def _prepare(scratch: Path, home: Path) -> None:
    """A home with a champion on line L1 and thirty inspected frames."""
    run_step("data", "simulate", scratch / "data")
    run_step("train", "--data", scratch / "data", "--recipe", "bracket", "--home", home)
    run_step("promote", "bracket", "1", "--home", home, "--line", "L1")
    files = [file for file in sorted((scratch / "data" / "test").rglob("*.*")) if file.is_file()]
    with _service(home) as url, httpx.Client(base_url=url, timeout=60) as client:
        for number, file in enumerate(files):
            kind = {"Content-Type": "image/jpeg" if file.suffix in (".jpg", ".jpeg") else "image/png"}
            query = {"part": f"FIRST-{number}"}
            client.post("/v1/lines/L1/frames", content=file.read_bytes(), headers=kind, params=query).raise_for_status()


@contextmanager
def _service(home: Path) -> Iterator[str]:
    port = check_port("127.0.0.1", 0)
    url = f"http://127.0.0.1:{port}"
    log = home / "logs" / "bench.log"
    with background(["serve", "--home", str(home), "--port", str(port)], log) as process:
        wait_ready(url, process, log)
        yield url


@contextmanager
def _page(url: str) -> Iterator["Page"]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise TrialsightError("there is no Chromium on this machine", "on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(base_url=url, viewport={"width": 1280, "height": 720})
        yield page
        browser.close()


def _measure(url: str, parts: int, presses: int) -> Seen:
    lists = {}
    with httpx.Client(base_url=url, timeout=60) as client:
        for name, query in LISTS.items():
            times = []
            for _ in range(15):
                answer = client.get(f"/v1/parts?{query}").raise_for_status()
                times.append(answer.elapsed.total_seconds() * 1000)
            lists[name] = median(times)
    with _page(url) as page:
        page.goto("/?verdict=reject&review=unreviewed")
        page.wait_for_selector("html[data-ready]")
        page.keyboard.press("Enter")
        page.wait_for_selector("#stage[data-drawn=true]")
        page.evaluate(WATCH)
        paced = _press(page, presses, pause_ms=400)
        hurried = _press(page, presses, pause_ms=0)
    return Seen(parts, paced, hurried, lists)


def _press(page: "Page", presses: int, pause_ms: int) -> list[float]:
    page.evaluate("() => { window.drawn = []; }")
    for number in range(presses):
        page.wait_for_timeout(pause_ms)
        page.keyboard.press("cg"[number % 2])
        page.wait_for_function(
            "count => window.drawn.length > count && document.querySelector('html[data-ready]')", arg=number
        )
    found: list[float] = page.evaluate("() => window.drawn")
    return found


def _zoom(url: str, part: str) -> list[float]:
    with _page(url) as page:
        page.goto(f"/parts/{part}")
        page.wait_for_selector("#stage[data-drawn=true][data-mode=heat]", timeout=60_000)
        page.wait_for_timeout(1000)
        found: list[float] = page.evaluate(ZOOM)
        return found


def _tables(found: list[Seen], gaps: list[float]) -> tuple[Table, ...]:
    few, many = found
    rows = [
        (name, f"{a:.1f}", f"{b:.1f}", f"{b / a:.2f}")
        for name, a, b in (
            ("a key press every 0.4 s, median", median(few.paced_ms), median(many.paced_ms)),
            ("the same, the slowest", max(few.paced_ms), max(many.paced_ms)),
            ("key presses without a pause, median", median(few.hurried_ms), median(many.hurried_ms)),
            *((f"list: {name}", few.lists_ms[name], many.lists_ms[name]) for name in LISTS),
        )
    ]
    note = f"{len(many.paced_ms)} presses each; a list is the first page of 50 as JSON, over HTTP."
    columns = ("ms", f"{few.parts:,} parts", f"{many.parts:,} parts", "ratio")
    zoom = ("5120×4096", f"{median(gaps):.0f}", f"{max(gaps):.0f}")
    return (
        Table("Key press to next part drawn", columns, tuple(rows), note),
        Table("Zooming in and out by wheel", ("frame, px", "median gap, ms", "longest gap, ms"), (zoom,), "240 turns."),
    )


def _targets(found: list[Seen], gaps: list[float]) -> tuple[Target, ...]:
    many = found[-1]
    drawn = median(many.paced_ms)
    return (
        Target(f"next part drawn within 150 ms with {many.parts:,} parts stored", f"{drawn:.0f} ms", drawn < 150),
        Target("a 20-megapixel frame zooms without a dropped second", f"{max(gaps):.0f} ms at worst", max(gaps) < 1000),
    )
