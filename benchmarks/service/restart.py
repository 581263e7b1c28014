"""kill -9 under load, and how long until the service gives verdicts again."""

import os
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measure.report import Target
from benchmarks.service.doors import Door, drive, start
from trialsight.home import Home

LOAD_S = 3.0
LIMIT_S = 5.0


@dataclass(frozen=True)
class Restarts:
    """Seconds from the command to `/readyz`, and of the processor until then; `results` in the store at the end."""

    ready_s: list[float]
    cpu_s: list[float]
    results: int

    def target(self) -> Target:
        found = f"{max(self.ready_s):.1f} s at most of {len(self.ready_s)} ({max(self.cpu_s):.1f} s processor time)"
        text = f"restart to ready < {LIMIT_S:g} s after kill -9 under load, {self.results:,} results in the store"
        return Target(text, found, max(self.ready_s) < LIMIT_S)


def kill_and_restart(home: Path, known: Door, clients: int, times: int, log: Path) -> Restarts:
    """`known`: the service's door before, whose key and frames are used on."""
    ready_s, cpu_s = [], []
    for number in range(times + 1):  # the first is only killed
        started = time.monotonic()
        with start(home, log) as (url, group), ThreadPoolExecutor(1) as pool:
            door = replace(known, url=url, group=group)
            if number:
                ready_s.append(time.monotonic() - started)
                cpu_s.append(door.cpu_s())
            pressing = pool.submit(drive, door, door.plan(clients, LOAD_S, first=7 * number))
            time.sleep(LOAD_S / 2)
            os.killpg(group, signal.SIGKILL)
            pressing.result()
    with closing(sqlite3.connect(Home(home).database)) as database:
        results = int(database.execute("SELECT count(*) FROM frames").fetchone()[0])
    return Restarts(ready_s, cpu_s, results)
