"""The inspection benchmark: overhead, memory, and anomalib's inferencers beside ours."""

import tempfile
from pathlib import Path

from benchmarks.inspection.memory import memory_over, memory_table, memory_target
from benchmarks.inspection.overhead import CASES, overhead, overhead_table, overhead_targets, prepare
from benchmarks.measure.machine import describe_machine
from benchmarks.measure.progress import say
from benchmarks.measure.report import Report, Table, Target, write_report
from benchmarks.measure.sets import read_set, some_frames
from benchmarks.measure.training import train

MEMORY_FRAMES = 10_000
INTRODUCTION = """From encoded bytes to a verdict in process, as a service's worker or a notebook does it. Contenders
take turns within one run, and every claim is a ratio of neighbours in time; milliseconds only give the scale."""


def run(shared: Path, place: Path, docs: Path, rounds: int, rival: bool, reuse_rival: bool) -> Path:
    """Measure all, write the report, give its path."""
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        found = []
        for case in CASES:
            say(f"{case.name}: training, then {rounds} laps")
            package, files = prepare(case, Path(scratch) / case.folder, shared)
            found.append(overhead(case, package, files, rounds))
            say(f"{case.name}: one caller {found[-1].one}, two {found[-1].two}, throughput {found[-1].throughput}")
        say(f"memory over {MEMORY_FRAMES:,} frames")
        resident = _memory(Path(scratch) / "small", shared)
        tables: list[Table] = [overhead_table(found), memory_table(resident)]
        targets: list[Target] = [*overhead_targets(found), memory_target(resident)]
        if rival:
            from benchmarks.inspection.beside import beside

            table, target = beside(shared, Path(scratch) / "beside", place.parent, rounds, reuse_rival)
            tables.append(table)
            targets += target
    report = Report(
        name="inspection",
        title="Inspection: what a verdict costs",
        introduction=INTRODUCTION,
        machine=describe_machine(),
        repeat="make bench ARGS=inspection",
        tables=tuple(tables),
        targets=tuple(targets),
    )
    return write_report(report, docs)


def _memory(folder: Path, shared: Path) -> dict[int, float]:
    """With a model small enough that ten thousand frames take a minute."""
    image_set = read_set(shared, "casting")
    package = train(image_set.root, folder, "resnet18", "random", size_px=64, bank_size=200).package
    return memory_over(package, MEMORY_FRAMES, some_frames(image_set, 32))
