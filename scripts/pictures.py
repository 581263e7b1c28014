"""The pictures of README and docs, from the running demo: `python scripts/pictures.py [HOME]`.

Needs the dev extra and a Chromium. Runs the demo's training into HOME where there is none yet, sends parts, decides
about most of them as a reviewer would, writes a defect book, and photographs every page in both languages into
docs/pictures/{en,zh}.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
from playwright.sync_api import Browser, sync_playwright

from trialsight.home import Home
from trialsight_serving.demo.processes import TRIALSIGHT, background, check_port, wait_ready

OUT = Path(__file__).parents[1] / "docs" / "pictures"
HOST, SIZE, MOST_BYTES = "127.0.0.1", (1280, 800), 150_000
PARTS = (("L1", 7, 0.2, 110), ("L2", 11, 0.5, 16), ("L1", 8, 0.15, 12))  # line, seed, share of defects, parts
BOOK = {
    "scratch": (
        "A line that a fingernail feels, or that is longer than 2 mm.\nTool marks across the whole face are none.",
        "指甲可感觉到，或长于 2 mm 的线状痕迹。\n贯穿整面的刀纹不算划痕。",
    ),
    "stain": ("A dark patch that alcohol does not take off.", "酒精擦拭后仍留下的暗斑。"),
}
CASES = (
    ("scratch", "example", "scratch", ""),
    ("scratch", "counter", "good", "3.2 µm Ra"),
    ("scratch", "borderline", "scratch", "1.9 mm"),
    ("stain", "example", "stain", ""),
)


def main() -> None:
    home = Home.at(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
    if not (home.root / "trialsight.db").is_file():
        subprocess.run([*TRIALSIGHT, "demo", "--once", "--home", str(home.root), "--port", "0"], check=True)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    log, port = home.logs / "pictures.log", check_port(HOST, 0)
    url = f"http://{HOST}:{port}"
    with httpx.Client(base_url=url, timeout=60) as client:
        serve = ["serve", "--home", str(home.root), "--host", HOST, "--port", str(port), "--open"]
        with background(serve, log) as server:
            wait_ready(url, server, log)
            if all(line["name"] != "L2" for line in client.get("/v1/lines").json()):
                words = ["line", "add", "L2", "--recipe", "bracket", "--home", str(home.root)]
                subprocess.run([*TRIALSIGHT, *words], check=True)
            truths = [sent for part in PARTS for sent in send(home, url, *part)]
            decide(client, truths)
            write_book(client, truths)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                for language, locale in (("en", "en-GB"), ("zh", "zh-CN")):
                    photograph(browser, client, url, language, locale)
                browser.close()


def send(home: Home, url: str, line: str, seed: int, defects: float, count: int) -> Iterator[dict[str, Any]]:
    """What the camera's JSON lines say of each part, its truth among them."""
    buffer = home.root / "camera" / f"pictures-{line}-{seed}"
    words = ["camera", "--source", "simulated", "--line", line, "--url", url, "--seed", str(seed), "--json"]
    words += ["--buffer", str(buffer), "--defect-share", str(defects), "--interval", "0", "--count", str(count)]
    done = subprocess.run([*TRIALSIGHT, *words], stdout=subprocess.PIPE, text=True, check=True)
    yield from map(json.loads, done.stdout.splitlines())


def decide(client: httpx.Client, truths: list[dict[str, Any]]) -> None:
    """About four parts in five, as their truth says."""
    classes = {one["name"] for one in client.get("/v1/defect-classes").json()}
    for number, sent in enumerate(truths):
        if number % 5 == 4:
            continue
        (part,) = client.get("/v1/parts", params={"part": sent["part"]}).json()["parts"]
        defective, flagged = sent["truth"] != "good", part["verdict"] in ("review", "reject")
        decision = "confirm" if defective == flagged else "missed_defect" if defective else "overrule_good"
        body = {"decision": decision}
        if defective:
            body["defect_class"] = sent["truth"] if sent["truth"] in classes else "other"
        client.post(f"/v1/parts/{part['id']}/decisions", json=body).raise_for_status()


def write_book(client: httpx.Client, truths: list[dict[str, Any]]) -> None:
    known = {one["name"]: one for one in client.get("/v1/defect-classes").json()}
    if any(one["images"] for one in known.values()):
        return
    for name, (english, chinese) in BOOK.items():
        kept = {field: known[name][field] for field in ("name_en", "name_zh", "number")}
        body = kept | {"description_en": english, "description_zh": chinese}
        client.put(f"/v1/defect-classes/{name}", json=body).raise_for_status()
    left = list(truths)
    for name, kind, truth, note in CASES:
        sent = next((one for one in left if one["truth"] == truth), None)
        if sent is not None:
            left.remove(sent)
            body = {"frame_id": sent["id"], "kind": kind, "note": note}
            client.post(f"/v1/defect-classes/{name}/images", json=body).raise_for_status()


def photograph(browser: Browser, client: httpx.Client, url: str, language: str, locale: str) -> None:
    page = browser.new_page(
        base_url=url, locale=locale, viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="dark"
    )
    rejected = client.get("/v1/parts", params={"verdict": "reject", "review": "unreviewed"}).json()["parts"]
    part = f"/parts/{rejected[0]['id']}?review=unreviewed"
    drawn = "#stage[data-drawn=true][data-mode=heat]"
    for name, address, ready, keys in (
        ("wall", "/wall", "#wall[data-link=up]", ()),
        ("queue", "/", ".live.up", ()),
        ("part", part, drawn, ()),
        ("compare", part, drawn, ("s", "r")),
        ("triage", "/triage?verdict=reject", ".sheet", ("a",)),
        ("thresholds", "/thresholds", "#cuts[data-drawn=true]", ()),
        ("book", "/book", ".entries", ()),
        ("models", "/models", "section.model", ()),
    ):
        page.goto(address)
        page.wait_for_selector(f"html[data-ready] {ready}")
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_load_state("networkidle") if name not in ("wall", "queue") else page.wait_for_timeout(1500)
        page.wait_for_timeout(400)
        write(OUT / language / f"{name}.webp", page.screenshot())
    page.close()


def write(path: Path, png: bytes) -> None:
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    for quality in (85, 75, 60, 45):
        data = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        if len(data) < MOST_BYTES:
            break
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    sys.stderr.write(f"{path.relative_to(OUT)}: {len(data) / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
