"""The learning benchmark: quality, fit time and frame time on the real sets, anomalib's PatchCore in the same run."""

import contextlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.learning.contest import SEEDS, THEIRS, Contest, hold, save
from benchmarks.learning.targets import learning_targets
from benchmarks.learning.trunks import time_trunks
from benchmarks.measure.machine import describe_machine
from benchmarks.measure.progress import say
from benchmarks.measure.report import Report, Table, write_report
from benchmarks.measure.scoring import METRICS
from benchmarks.measure.sets import SETS, TRUNK
from benchmarks.rivals.anomalib import Anomalib
from trialsight.structure import structure

FITTED = ("trunk", "plain", "shipped", THEIRS)
INTRODUCTION = """What is learned from good parts alone on five public sets of photographs, beside anomalib's
PatchCore. Both sides have the same ResNet-18 trunk (theirs uses layers 2 and 3, as it does by itself, ours also
layer 1), the same data and as many input pixels (256×256; ours keeps the frame's aspect). Theirs keeps 2 % of the
patches, ours at most 2,000 of layers 2 and 3 each (4,000 on magnetic_tile, where 2 % are 4,096) and 1,000 of layer 1.
Both sides' scores and maps go through the same metric code at the frame's own size. Fit and frame times are ratios of
neighbours in one run; seconds and milliseconds only give the scale."""


def run(
    shared: Path, place: Path, docs: Path, names: Sequence[str], keep: bool, rival: bool, reuse_rival: bool, rounds: int
) -> Path:
    """Measure `names`, write the report, give its path. `keep`: sets measured in earlier runs stay in the report."""
    records = place / "sets"
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        for name in names:
            with Anomalib(place.parent / "anomalib") if rival else contextlib.nullcontext() as worker:
                contest = hold(name, shared, Path(scratch) / name, worker, reuse_rival, rounds)
            save(contest, records / f"{name}.json")
    say("trunks")
    trunks = time_trunks(shared / "weights" / TRUNK, rounds)
    shown = [name for name in SETS if name in names or (keep and (records / f"{name}.json").is_file())]
    found = [load(records / f"{name}.json") for name in shown]
    report = Report(
        name="learning",
        title="Learning: quality and time on real sets",
        introduction=INTRODUCTION,
        machine=describe_machine(),
        repeat="make bench ARGS=learning",
        tables=(_quality(found), _fits(found), _frames(found), _made(found)),
        targets=tuple(learning_targets(found, trunks)),
    )
    return write_report(report, docs)


def load(path: Path) -> Contest:
    return structure(Contest, json.loads(path.read_text(encoding="utf-8")))


def _quality(found: Sequence[Contest]) -> Table:
    rows = [
        (
            contest.name,
            label,
            f"{entry.input_px[0]}×{entry.input_px[1]}",
            *("-" if entry.metrics[metric] is None else f"{entry.metrics[metric]:.3f}" for metric in METRICS),
        )
        for contest in found
        for label, entry in contest.entries.items()
    ]
    return Table(
        "Quality",
        ("set", "detector", "input", "image AUROC", "pixel AUROC", "AUPRO (to 0.3)"),
        tuple(rows),
        "`trunk`: ours on the ResNet-18 trunk. `plain`: the same without augmented copies of the parts, as theirs "
        "learns. `shipped`: ours on the backbone that comes with Trialsight. `random`: ours on a ResNet-18 with random "
        "weights, for scale. `best`: ours on the trunk at a larger input. `trunk`, `shipped` and `best` are means over "
        f"{SEEDS} seeds.",
    )


def _fits(found: Sequence[Contest]) -> Table:
    rows = [
        (
            contest.name,
            *(f"{contest.entries[name].fit_s:.1f}" if name in contest.entries else "-" for name in FITTED),
            *(f"{contest.fits[name].median:.2f}" if name in contest.fits else "-" for name in ("trunk", "plain")),
        )
        for contest in found
    ]
    return Table(
        "Fit",
        ("set", *(f"{name}, s" for name in FITTED), "anomalib over trunk", "anomalib over plain"),
        tuple(rows),
        "From the first picture read to a detector calibrated by held-out memories; theirs is `Engine.fit`, which "
        "calibrates nothing. Both in a process that has just begun, as people call them. Theirs then gives memory back "
        "to the system and asks for it again at each step of the greedy choice; where the C library is told to keep it "
        "(docs/decisions/0035-what-their-fit-waits-for.md) it takes a sixth of that, ours as long as before.",
    )


def _frames(found: Sequence[Contest]) -> Table:
    rows = [
        (
            contest.name,
            label,
            str(entry.bank),
            f"{entry.frame_ms:.1f}",
            *(_over(contest, label, THEIRS) if label != THEIRS else ("", "")),
            *(_over(contest, label, "trunk") if label != "trunk" else ("", "")),
        )
        for contest in found
        for label, entry in contest.entries.items()
    ]
    return Table(
        "Frame",
        ("set", "detector", "patches", "ms", "over anomalib", "processor time", "over our trunk", "processor time"),
        tuple(rows),
        "The exported ONNX graph in ONNX Runtime on a prepared frame, one thread. Median (lowest–highest) of rounds.",
    )


def _over(contest: Contest, label: str, other: str) -> tuple[str, str]:
    if other not in contest.entries:
        return "-", "-"
    return str(contest.frame(label, other)), str(contest.frame_cpu(label, other))


def _made(found: Sequence[Contest]) -> Table:
    return Table("Runs", ("set", "made"), tuple((contest.name, contest.made) for contest in found))
