"""What a retraining in the worker does to the line: the same frames at the same pace, with it running and halted.

The training is a child as the worker starts them (niceness, threads). It is stopped and let go on in turn, so that both
kinds of laps see the same machine, however busy it is with other things.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx
import numpy as np

from benchmarks.measure.machine import describe_machine
from benchmarks.measure.report import DOCS, Report, Table, Target, write_report
from benchmarks.measure.timing import ratio, take_turns
from trialsight.files import remove_folder
from trialsight_datasets.simulate.dataset import Plan, write_simulated
from trialsight_datasets.simulate.simulator import Simulator
from trialsight_serving.jobs.process import child_command, child_environment

MOST = 1.3  # what the line's p99 may grow by
INTRODUCTION = """Frames are posted to a real service one after the other at the line's pace. Meanwhile a training runs
as the worker runs it, halted in every other lap. What counts is the 99th percentile of all laps with it over that of
all without."""
TRIALSIGHT = str(Path(sys.executable).with_name("trialsight"))


def run(place: Path, docs: Path = DOCS, rounds: int = 10, frames: int = 60, pace_s: float = 0.1) -> str:
    """The report's path, told."""
    remove_folder(place)
    place.mkdir(parents=True)
    home = place / "home"
    write_simulated(place / "plate", Plan(good=40, test_good=10, defects=2, size_px=256))
    _trialsight("train", "--data", place / "plate", "--home", home)
    _trialsight("promote", "plate", "1", "--home", home, "--line", "L1")
    shown = [Simulator(0, 256).good(5000 + number).jpeg for number in range(frames)]
    with _service(home) as client, _training(place, home) as switch:

        def lap(running: bool) -> list[float]:
            switch(running)
            return _post(client, shown, pace_s)

        laps = take_turns({"halted": lambda: lap(False), "running": lambda: lap(True)}, rounds)
    return str(write_report(_report(laps, rounds, frames, pace_s), docs))


def _report(laps: dict[str, list[list[float]]], rounds: int, frames: int, pace_s: float) -> Report:
    every = {name: np.concatenate(found) for name, found in laps.items()}
    p99 = {name: float(np.percentile(values, 99)) for name, values in every.items()}
    p50 = {name: [median(lap) for lap in found] for name, found in laps.items()}
    found = p99["running"] / p99["halted"]
    rows = tuple(
        (name, *(f"{np.percentile(every[name], share):.1f}" for share in (50, 90, 99, 100)))
        for name in ("halted", "running")
    )
    middle = ratio(p50["running"], p50["halted"])
    return Report(
        name="loop",
        title="Loop: what retraining does to the line",
        introduction=INTRODUCTION,
        machine=describe_machine(),
        repeat=f"python -m benchmarks loop --rounds {rounds} --frames {frames} --pace {pace_s}",
        tables=(
            Table(
                f"From posting a frame to its verdict, {rounds * frames} frames each, one every {pace_s:g} s",
                ("ms, training", "p50", "p90", "p99", "most"),
                rows,
                f"Median of a lap with the training over that of the lap beside it: {middle}.",
            ),
        ),
        targets=(Target(f"retraining moves the line's p99 by at most {MOST:g} times", f"{found:.2f}", found <= MOST),),
    )


@contextmanager
def _training(place: Path, home: Path):  # type: ignore[no-untyped-def]
    """A switch for a training that goes on without end."""
    words = ["train", "--data", str(place / "plate"), "--home", str(home)]
    threads = max(1, (os.cpu_count() or 2) // 2)
    endless = "import subprocess, sys\nwhile True: subprocess.run(sys.argv[1:], stdout=-3, stderr=-3)"
    process = subprocess.Popen(
        [sys.executable, "-c", endless, *child_command(words)],
        env=child_environment(threads, nice=True),
        start_new_session=True,
    )
    try:
        time.sleep(8)  # past its imports

        def switch(running: bool) -> None:
            os.killpg(process.pid, signal.SIGCONT if running else signal.SIGSTOP)
            time.sleep(0.3)

        yield switch
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _post(client: httpx.Client, shown: list[bytes], pace_s: float) -> list[float]:
    """Milliseconds of each frame."""
    spent, due = [], time.perf_counter()
    for frame in shown:
        time.sleep(max(0.0, due - time.perf_counter()))
        due = max(due + pace_s, time.perf_counter())
        started = time.perf_counter()
        answer = client.post("/v1/lines/L1/frames", content=frame, headers={"Content-Type": "image/jpeg"})
        answer.raise_for_status()
        spent.append(1000 * (time.perf_counter() - started))
    return spent


@contextmanager
def _service(home: Path):  # type: ignore[no-untyped-def]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [TRIALSIGHT, "serve", "--home", str(home), "--port", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            _wait(lambda: client.get("/readyz").status_code == 200)
            yield client
    finally:
        process.terminate()
        process.wait()


def _wait(ready: Callable[[], bool], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if ready():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError("the service did not become ready")


def _trialsight(*words: object) -> None:
    subprocess.run([TRIALSIGHT, *map(str, words)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
