"""The demo from the first simulated part to the last verdict."""

import contextlib
import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from trialsight.errors import TrialsightError
from trialsight.files import remove_folder, write_json_atomic
from trialsight.home import Home
from trialsight_serving.demo.processes import background, run_step, wait_ready
from trialsight_serving.demo.summary import DemoFrame, Totals, add_up, to_json, why_it_failed

HOST = "127.0.0.1"
LINE = "L1"
RECIPE = "bracket"
GOOD_PARTS = 20
DEFECT_SHARE = 0.4
STYLES = {"pass": "green", "review": "yellow", "reject": "red", "no_verdict": "magenta"}


def play(
    home: Home, port: int, seed: int, frames: int | None, console: Console, line: Path | None = None
) -> str | None:
    """Run the whole job. With `frames`, stop after that many and give the reason why it failed, or None.

    Without, goes on until Ctrl-C. `line`: a virtual line's file. Raises TrialsightError when a step fails.
    """
    started = time.monotonic()
    steps = iter(range(1, 6))

    def tell(what: str) -> None:
        console.print(f"[bold]\\[{next(steps)}/5][/] {what}  [dim]{time.monotonic() - started:.0f} s[/]")

    tell(f"Simulating a machined bracket: {GOOD_PARTS} good parts to learn from, some defects to test with")
    product = home.root / f"product-seed-{seed}{'' if line is None else f'-{line.stem}'}"
    if not (product / "train").is_dir():
        which = [] if line is None else ["--line", line]
        run_step("data", "simulate", product, "--good", GOOD_PARTS, "--seed", seed, *which)
    tell(f"Training on {GOOD_PARTS} good parts, tracked in MLflow")
    model = run_step("train", "--data", product, "--recipe", RECIPE, "--home", home.root)
    console.print(_metrics(model), highlight=False)
    tell(f"Gate: golden frames of {RECIPE} version {model['version']}, then promotion to champion on line {LINE}")
    run_step("promote", RECIPE, model["version"], "--home", home.root, "--line", LINE)
    tell("Starting the service")
    url = f"http://{HOST}:{port}"
    log = home.logs / "serve.log"
    serve = ["serve", "--home", str(home.root), "--host", HOST, "--port", str(port), "--open"]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(background(serve, log))
        wait_ready(url, server, log)
        stack.enter_context(background(["worker", "--home", str(home.root)], home.logs / "worker.log"))
        tell(f"A camera sends {f'{frames} parts' if frames else 'a part every second; Ctrl-C stops'}")
        console.print(f"      Viewer: [bold link={url}/]{url}/[/]")
        source = "simulated" if line is None else f"simulated:{line}"
        inspected = _watch(home, url, source, seed, frames, console)
    if frames is None:
        return None
    if not inspected:
        return f"the camera got no answer (see {home.logs / 'camera.log'})"
    totals = add_up(inspected)
    failure = why_it_failed(totals, frames)
    target = home.root / "summary.json"
    write_json_atomic(target, to_json(inspected, totals, model, failure))
    console.print(_table(totals))
    console.print(f"Written: {_relative(target)}  [dim]{time.monotonic() - started:.0f} s in all[/]")
    return failure


def _watch(home: Home, url: str, source: str, seed: int, frames: int | None, console: Console) -> list[DemoFrame]:
    """Print each verdict as it comes. Without a number of frames this ends with KeyboardInterrupt only."""
    words = ["camera", "--source", source, "--line", LINE, "--url", url, "--seed", str(seed), "--json"]
    buffer = home.root / "camera" / "demo"
    remove_folder(buffer)  # frames that an earlier demo left would be counted as this one's
    words += ["--buffer", str(buffer)]
    words += ["--defect-share", f"{DEFECT_SHARE:.4f}", "--interval", "0" if frames else "1"]
    words += ["--count", str(frames)] if frames else []
    inspected = []
    with background(words, home.logs / "camera.log", stdout=subprocess.PIPE) as camera:
        for number, frame in zip(itertools.count(1), _frames(camera), strict=False):
            inspected.append(frame)
            score = "-" if frame.score is None else f"{frame.score:.3f}"
            console.print(
                f"{number:>5}  {frame.part:<18} truth {frame.truth:<16} "
                f"[{STYLES.get(frame.verdict, 'white')}]{frame.verdict:<10}[/] score {score:>7} "
                f"[dim]{frame.latency_ms:6.1f} ms[/]",
                highlight=False,
            )
    if frames is None:
        raise TrialsightError("the camera stopped", f"see {home.logs / 'camera.log'} and {home.logs / 'serve.log'}")
    return inspected


def _frames(camera: "subprocess.Popen[str]") -> Iterator[DemoFrame]:
    assert camera.stdout is not None
    for line in camera.stdout:
        row = json.loads(line)
        yield DemoFrame(row["part"], row["truth"], row["verdict"], row["score"], row["latency_ms"])


def _metrics(model: dict[str, Any]) -> str:
    shown = {name: value for name, value in model["metrics"].items() if value is not None}
    parts = [f"{name} {shown[name]:.3f}" for name in ("image_auroc", "pixel_auroc", "aupro") if name in shown]
    thresholds = model["thresholds"]
    return f"      {', '.join(parts)}; t1 {thresholds['t1']:.3f}, t2 {thresholds['t2']:.3f}"


def _table(totals: Totals) -> Table:
    table = Table(title="Demo", show_header=False)
    table.add_row("frames (good, defective)", f"{totals.frames} ({totals.good}, {totals.defective})")
    table.add_row("false rejects", str(totals.false_rejects))
    table.add_row("escapes", str(totals.escapes))
    table.add_row("sent to review", str(totals.reviews))
    table.add_row("no verdict", str(totals.no_verdicts))
    table.add_row("latency p50 / p99", f"{totals.p50_ms:.1f} / {totals.p99_ms:.1f} ms")
    return table


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
