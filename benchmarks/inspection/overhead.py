"""What an inspection costs beyond its floor: the same bytes decoded, resized and run, and nothing else."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.measure.bare import Bare
from benchmarks.measure.callers import lap
from benchmarks.measure.report import Table, Target
from benchmarks.measure.sets import TRUNK, read_set, some_frames
from benchmarks.measure.timing import Ratio, ratio, take_turns
from benchmarks.measure.training import train
from trialsight import Inspector, Verdict
from trialsight.errors import TrialsightError
from trialsight_datasets import read_image_set

FRAMES = 8
SIZE_PX = 256


@dataclass(frozen=True)
class Case:
    """A package and frames for it. `data` None: simulated parts of `side_px`. `size_px`: of the model's input."""

    name: str
    folder: str
    data: str | None
    backbone: str
    side_px: int = 512
    size_px: int = SIZE_PX


CASES = (
    Case("casting 512×512, ResNet-18 trunk", "casting-trunk", "casting", "resnet18"),
    Case("casting 512×512, shipped backbone", "casting-shipped", "casting", "shipped"),
    Case("simulated 1280×1280, shipped backbone", "simulated", None, "shipped", 1280),
)


@dataclass(frozen=True)
class Overhead:
    """Our time over the floor's, a call, with one caller and with two, by the clock and by the processor; our
    throughput over the floor's with two."""

    case: Case
    one: Ratio
    one_cpu: Ratio
    two: Ratio
    two_cpu: Ratio
    throughput: Ratio
    floor_ms: float


def prepare(case: Case, folder: Path, shared: Path) -> tuple[Path, list[Path]]:
    """A package trained for the case in `folder`, and frames of it."""
    folder.mkdir(parents=True)
    if case.data is None:
        words = ["data", "simulate", str(folder / "data"), "--size", str(case.side_px), "--good", "20"]
        subprocess.run([Path(sys.executable).with_name("trialsight"), *words], check=True, capture_output=True)
    image_set = read_image_set(folder / "data") if case.data is None else read_set(shared, case.data)
    weights = "shipped" if case.backbone == "shipped" else str(shared / "weights" / TRUNK)
    trained = train(image_set.root, folder / "ours", case.backbone, weights, case.size_px)
    return trained.package, some_frames(image_set, 4 * FRAMES)


def overhead(case: Case, package: Path, files: Sequence[Path], rounds: int) -> Overhead:
    inspector = Inspector.load(package)
    bare = Bare(inspector.package)
    frames = _judgeable(inspector, files)[:FRAMES]
    doors: dict[str, Callable[[bytes], object]] = {"ours": inspector, "bare": bare}
    laps = {}
    for callers in (1, 2):
        with ThreadPoolExecutor(callers) as pool:
            turns = {name: partial(lap, door, frames, callers, pool) for name, door in doors.items()}
            laps[callers] = take_turns(turns, rounds)

    def calls(callers: int, name: str) -> list[float]:
        return [one.call_s for one in laps[callers][name]]

    def spent(callers: int, name: str) -> list[float]:
        return [one.cpu_s for one in laps[callers][name]]

    walls = {name: [one.wall_s for one in laps[2][name]] for name in doors}
    return Overhead(
        case=case,
        one=ratio(calls(1, "ours"), calls(1, "bare")),
        one_cpu=ratio(spent(1, "ours"), spent(1, "bare")),
        two=ratio(calls(2, "ours"), calls(2, "bare")),
        two_cpu=ratio(spent(2, "ours"), spent(2, "bare")),
        throughput=ratio(walls["bare"], walls["ours"]),
        floor_ms=1000 * median(calls(1, "bare")),
    )


def _judgeable(inspector: Inspector, files: Sequence[Path]) -> list[bytes]:
    """Frames that reach the model: one refused for bad light would make us look fast."""
    frames = [file.read_bytes() for file in files]
    kept = [frame for frame in frames if inspector(frame).verdict is not Verdict.NO_VERDICT]
    if not kept:
        raise TrialsightError("every frame is refused before it reaches the model", "look at the health limits")
    return kept


def overhead_table(found: Sequence[Overhead]) -> Table:
    return Table(
        "What an inspection adds to its floor",
        (
            "case",
            "one caller",
            "processor time",
            "two callers",
            "processor time",
            "throughput, two callers",
            "floor, ms",
        ),
        tuple(
            (o.case.name, *map(str, (o.one, o.one_cpu, o.two, o.two_cpu, o.throughput)), f"{o.floor_ms:.1f}")
            for o in found
        ),
        "Bytes to verdict through `Inspector` (header check, decode, health, model, regions, rules) over decode + "
        f"resize + session run alone. A lap is {FRAMES} frames a caller; median (lowest–highest) of the laps' ratios. "
        "Where other work wants the cores, the clock tells of that too, and processor time of this code alone. "
        "The milliseconds are this machine's in this hour, for scale only.",
    )


def overhead_targets(found: Sequence[Overhead]) -> list[Target]:
    one, one_cpu = max(o.one.median for o in found), max(o.one_cpu.median for o in found)
    two, two_cpu = max(o.two.median for o in found), max(o.two_cpu.median for o in found)
    throughput = min(o.throughput.median for o in found)
    return [
        Target(
            "bytes to verdict ≤ 1.10× the floor, one caller",
            f"{one:.3f}× at worst, {one_cpu:.3f}× in processor time",
            one <= 1.10,
        ),
        Target("the same, two callers", f"{two:.3f}× at worst, {two_cpu:.3f}× in processor time", two <= 1.10),
        Target("throughput at two callers ≥ 0.95× the bare pair", f"{throughput:.3f}× at worst", throughput >= 0.95),
    ]
