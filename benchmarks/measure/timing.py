"""Times that may be compared: contenders take turns within one run, and only ratios of neighbours are reported.

Machines drift (other work, clock, heat) by far more than what is to be told apart, and they drift for all alike. So
no absolute time is ever a claim: a round lets each contender work once, in an order that is turned round each time,
and what counts is the median over rounds of the ratio within a round. Processor time is kept beside the clock's: on a
machine with other work it tells what was spent, where the clock tells also what was waited for.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Spent:
    """`wall_s` by the clock; `cpu_s` by the processor, summed over the process's threads."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Ratio:
    """Median, lowest and highest of `pairs` ratios, each of two neighbours in time."""

    median: float
    low: float
    high: float
    pairs: int

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


def take_turns(contenders: Mapping[str, Callable[[], T]], rounds: int, warm_up: int = 1) -> dict[str, list[T]]:
    """What each contender returns in each of `rounds`; A B, B A, A B, so that none always comes first.

    Contenders time themselves, so that they may run in other processes. `warm_up` rounds are thrown away.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    results: dict[str, list[T]] = {name: [] for name in contenders}
    for number in range(-warm_up, rounds):
        order = list(contenders)
        if number % 2:
            order.reverse()
        for name in order:
            result = contenders[name]()
            if number >= 0:
                results[name].append(result)
    return results


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Ratio:
    """Of pairs from the same rounds."""
    ratios = [a / b for a, b in zip(numerators, denominators, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios), len(ratios))


def timed(work: Callable[[], object]) -> Callable[[], Spent]:
    """`work` as a contender."""

    def contender() -> Spent:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        return Spent(time.perf_counter() - wall, time.process_time() - cpu)

    return contender
