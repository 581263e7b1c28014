"""Which of a package's graphs, in which runtime, is fastest on this machine: tried once, remembered after.

Only what passes its gate here counts (integers round differently on another processor), and only a clear gain is worth
leaving the fp32 graph in ONNX Runtime. It all happens before the model goes live, for a few seconds at the lowest
priority, so that no frame of another model waits for it.
"""

import contextlib
import hashlib
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from trialsight.engines import EngineName, cores, describe_runtime, installed_engines
from trialsight.errors import TrialsightError
from trialsight.files import sha256_of, write_json_atomic
from trialsight.gate import golden_problems
from trialsight.image import Limits
from trialsight.inspector import Inspector
from trialsight.package import CARD, FP32, Package
from trialsight.structure import structure

BUDGET_S = 3.0
# Another way must take less than this share of fp32's time in ONNX Runtime: below it, noise decides.
GAIN = 0.9
LEAST_ROUNDS, MOST_ROUNDS = 2, 5
# Computed in float32 at float32's speed: half the size is all its use.
NOT_FASTER = frozenset({"fp16"})


@dataclass(frozen=True)
class Way:
    """To run a package: its variant, the runtime, and the threads of one call."""

    variant: str = FP32
    engine: EngineName = "onnxruntime"
    threads: int = 1

    def __str__(self) -> str:
        return describe_runtime(self.variant, self.engine, self.threads)


@dataclass(frozen=True)
class Tried:
    """`frame_ms`: the shortest time a frame. `problem`: why the way isn't taken."""

    way: Way
    frame_ms: float | None = None
    problem: str | None = None

    def __str__(self) -> str:
        return f"{self.way}: " + (self.problem or f"{self.frame_ms:.1f} ms")


@dataclass(frozen=True)
class Choice:
    way: Way
    tried: tuple[Tried, ...]

    def __str__(self) -> str:
        return f"{self.way} (tried on a golden frame: {'; '.join(map(str, self.tried))})"


def load_fastest(
    package: Package, cache: Path, limits: Limits | None = None, callers: int | None = None
) -> tuple[Inspector, Choice]:
    """The package by its fastest way for `callers` calls at once (None: as many as cores).

    `cache`: folder where choices are kept by package and machine. Raises PackageError where fp32 itself can't run.
    """
    callers = callers or cores()
    file = cache / f"{_key(package, callers)}.json"
    choice = _remembered(file)
    if choice is None:
        choice = choose(package, limits, callers)
        with contextlib.suppress(OSError):  # a full disk costs the next start its seconds, and nothing else
            write_json_atomic(file, asdict(choice))
    try:
        return _load(package, choice.way, limits), choice
    except TrialsightError:  # what ran then doesn't run now
        if choice.way == Way():
            raise
        choice = Choice(Way(), ())
        return _load(package, choice.way, limits), choice


def choose(package: Package, limits: Limits | None, callers: int, budget_s: float = BUDGET_S) -> Choice:
    """Try the ways within about `budget_s` on the package's first golden frame; fp32 in ONNX Runtime where none is."""
    if not package.card.golden:
        return Choice(Way(), ())
    with ThreadPoolExecutor(1, "fastest", _step_back) as alone:
        tried = alone.submit(_try, package, limits, callers, time.monotonic() + budget_s).result()
    return Choice(pick(tried), tuple(tried))


def pick(tried: list[Tried]) -> Way:
    """The first is fp32 in ONNX Runtime with one thread."""
    usual = tried[0].frame_ms
    timed = [(one.frame_ms, one.way) for one in tried if one.frame_ms is not None]
    if usual is None or not timed:
        return Way()
    fastest, way = min(timed, key=lambda pair: pair[0])
    return way if fastest < GAIN * usual else Way()


def ways(package: Package, callers: int) -> list[Way]:
    """The likely winners first, after the usual way, for when time runs out."""
    threads = sorted({1, max(1, cores() // callers)})
    engines = installed_engines()
    variants = [(one.name, one.engine) for one in package.card.variants if one.name not in NOT_FASTER]
    faster = [(name, engine) for name, only in variants for engine in engines if only in (None, engine)]
    known = [*faster, *((FP32, engine) for engine in engines)]
    rest = [Way(name, engine, count) for count in threads for name, engine in known]
    return [Way(), *(way for way in rest if way != Way())]


def _try(package: Package, limits: Limits | None, callers: int, deadline: float) -> list[Tried]:
    frame = package.golden_frames()[0]
    tried: dict[Way, Tried] = {}
    ready: dict[Way, Inspector] = {}
    for way in ways(package, callers):
        if ready and time.monotonic() > deadline:
            tried[way] = Tried(way, problem="not tried: time was up")
            continue
        try:
            inspector = _load(package, way, limits)
            problems = golden_problems(inspector)
        except TrialsightError as error:
            problems = [str(error)]
        tried[way] = Tried(way, problem="; ".join(problems) or None)
        if not problems:
            ready[way] = inspector
    with ThreadPoolExecutor(callers, "fastest") as pool:
        best: dict[Way, float] = {}
        for number in range(MOST_ROUNDS):
            if number >= LEAST_ROUNDS and time.monotonic() > deadline:
                break
            for way, inspector in ready.items():  # in turns: machines drift
                best[way] = min(best.get(way, float("inf")), _frame_s(inspector, frame, callers, pool))
    for way, seconds in best.items():
        tried[way] = Tried(way, frame_ms=round(1000 * seconds, 2))
    return list(tried.values())


def _frame_s(call: Callable[[bytes], object], frame: bytes, callers: int, pool: ThreadPoolExecutor) -> float:
    started = time.perf_counter()
    for one in [pool.submit(call, frame) for _ in range(callers)]:
        one.result()
    return (time.perf_counter() - started) / callers


def _load(package: Package, way: Way, limits: Limits | None) -> Inspector:
    return Inspector(package.as_variant(way.variant), way.threads, limits, way.engine)


def _step_back() -> None:
    """Linux alone has a priority for each thread; threads that it starts have the same."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def _remembered(file: Path) -> Choice | None:
    try:
        return structure(Choice, json.loads(file.read_text(encoding="utf-8")), "choice")
    except (OSError, ValueError):  # not there, or of another version: tried again
        return None


def _key(package: Package, callers: int) -> str:
    """Of all that the choice rests on: card (and through it each graph), processor, runtimes, callers."""
    parts = [
        sha256_of(package.folder / CARD),
        _processor(),
        str(cores()),
        str(callers),
        *map(str, installed_engines().items()),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _processor() -> str:
    """Model and instruction sets where the system tells them."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
        return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
    return f"{platform.machine()} {platform.processor()}"
