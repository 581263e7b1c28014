"""Several callers at once on one door, as a service's worker threads are."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass


@dataclass(frozen=True)
class Lap:
    """`wall_s`: until the last caller was done. `call_s`: the mean of single calls. `cpu_s`: processor time of all."""

    wall_s: float
    call_s: float
    cpu_s: float


def lap(door: Callable[[bytes], object], frames: Sequence[bytes], callers: int, pool: ThreadPoolExecutor) -> Lap:
    """Each of `callers` sends every frame once, each starting at another one. `pool` has as many threads."""
    started, cpu = time.perf_counter(), time.process_time()
    starts = [len(frames) * caller // callers for caller in range(callers)]
    calls = [pool.submit(_calls, door, [*frames[start:], *frames[:start]]) for start in starts]
    seconds = [second for call in calls for second in call.result()]
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    return Lap(wall_s, sum(seconds) / len(seconds), cpu_s)


def _calls(door: Callable[[bytes], object], frames: Sequence[bytes]) -> list[float]:
    seconds = []
    for frame in frames:
        started = time.perf_counter()
        door(frame)
        seconds.append(time.perf_counter() - started)
    return seconds
