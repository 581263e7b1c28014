"""The service's figures as tables and targets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.inspection.overhead import Case
from benchmarks.measure.report import Table, Target
from benchmarks.measure.timing import Ratio
from benchmarks.service.doors import Driven

OURS = "trialsight"


@dataclass(frozen=True)
class Cost:
    """Of one server over the bare pair: time and processor time a frame; its frames a second."""

    case: Case
    door: str
    wall: Ratio
    cpu: Ratio
    frame_ms: float
    per_second: float


@dataclass(frozen=True)
class Pressed:
    """A server at `load` times what two clients in turn get out of it. `deadline_ms` None: it knows none."""

    door: str
    load: float
    driven: Driven
    deadline_ms: int | None

    def percentile(self, q: float, status: int = 200) -> float:
        """Milliseconds; 0 where nothing was answered so."""
        found = self.driven.seen.ms(status)
        return float(np.percentile(found, q)) if found else 0.0

    @property
    def probe_p99_ms(self) -> float:
        return float(np.percentile(self.driven.seen.probe_ms, 99))

    @property
    def within_deadline(self) -> bool:
        return self.deadline_ms is None or self.percentile(99) <= self.deadline_ms


def cost_table(found: Sequence[Cost], clients: int) -> Table:
    return Table(
        f"What a server adds, {clients} clients in turn",
        ("case", "server", "time over bare", "processor time over bare", "ms a frame", "frames/s"),
        tuple(
            (one.case.name, one.door, str(one.wall), str(one.cpu), f"{one.frame_ms:.1f}", f"{one.per_second:.1f}")
            for one in found
        ),
        "A request's time as its client sees it; processor time is the server's alone, all of its threads and "
        "processes. Median (lowest–highest) of the rounds' ratios; milliseconds and rates are for scale only.",
    )


def pressed_table(found: Sequence[Pressed], cameras: int) -> Table:
    rows = []
    for one in found:
        counts = [len(one.driven.seen.ms(status)) for status in (200, 429)]
        other = len(one.driven.seen.answers) - sum(counts)
        shown = [f"{one.percentile(q):.0f}" for q in (50, 99)]
        refused = f"{one.percentile(50, 429):.1f}" if counts[1] else "-"
        rows.append(
            (one.door, f"{one.load:g}×", *map(str, counts), str(other), *shown, refused, f"{one.probe_p99_ms:.0f}")
        )
    columns = ("server", "load", "answered", "429", "other", "p50, ms", "p99, ms", "429 p50, ms", "probe p99, ms")
    return Table(
        "Under load",
        columns,
        tuple(rows),
        f"{cameras} cameras at even paces with 20 % jitter, whatever comes back; load 1 is what two clients in turn "
        "get out of that server. Times count from when a frame should have left. The probe is /livez, and /ping of "
        "the others, twenty times a second.",
    )


def targets(costs: Sequence[Cost], pressed: Sequence[Pressed]) -> Iterator[Target]:
    for one in costs:
        if one.door == OURS:
            text = f"HTTP to durable verdict ≤ 1.15× bare decode + run, {one.case.name}"
            found = f"{one.wall.median:.2f}× ({one.cpu.median:.2f}× processor time)"
            yield Target(text, found, max(one.wall.median, one.cpu.median) <= 1.15)
    ours = {one.load: one for one in pressed if one.door == OURS}
    if not ours:
        return
    easy, flooded = ours[min(ours)], ours[max(ours)]
    spread = easy.percentile(99) / easy.percentile(50)
    yield Target(f"p99 ≤ 2× p50 at {easy.load:.0%} load", f"{spread:.1f}×", spread <= 2)
    text = f"at {flooded.load:g}× overload, accepted frames keep p99 within the deadline ({flooded.deadline_ms} ms)"
    yield Target(text, f"{flooded.percentile(99):.0f} ms", flooded.within_deadline)
    median_ms = flooded.percentile(50, 429)
    yield Target("the rest get 429 in < 20 ms, median", f"{median_ms:.1f} ms", 0 < median_ms < 20)
    probe = max(one.probe_p99_ms for one in ours.values())
    yield Target("/livez p99 < 50 ms throughout", f"{probe:.0f} ms", probe < 50)
