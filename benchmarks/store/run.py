"""The store with a million results beside one with ten thousand: how fast results come in, how fast lists open."""

import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure.machine import describe_machine
from benchmarks.measure.progress import say
from benchmarks.measure.report import Report, Table, Target, write_report
from benchmarks.measure.timing import Ratio, ratio, take_turns
from benchmarks.store import postgres
from benchmarks.store.filling import PEOPLE, START, TRIAL, VARIANT, fill, frame_record
from trialsight.files import remove_folder
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import Database, open_database
from trialsight_serving.store.frames import FrameRecord, frame_by_id, insert_frame
from trialsight_serving.store.parts import PartFilter, Place, list_parts, neighbours, part_by_id
from trialsight_serving.store.tables import ORGANISATION
from trialsight_serving.store.writer import Writer

LAP = 400
AT_ONCE = 16
PAGE = 50
REPEATS = 20
LIMIT = 1.2


@dataclass(frozen=True)
class Found:
    """`ingest`, `lists`: seconds of the large store over those of the small one. `list_ms`: the fastest that each was
    ever answered, which other work on the machine can't have slowed."""

    database: str
    ingest: Ratio
    lists: dict[str, Ratio]
    per_second: tuple[float, float]
    list_ms: dict[str, tuple[float, float]]
    filled_s: float

    def slowdown(self, what: str) -> float:
        small_ms, large_ms = self.list_ms[what]
        return large_ms / small_ms


class Store:
    """One filled store; new results go on where the filling ended."""

    def __init__(self, database: Database, size: int) -> None:
        self.database, self.size = database, size
        self._writer = Writer(database)
        self._dice = random.Random(7)  # noqa: S311
        self._next = size

    def ingest(self) -> float:
        """Seconds for a lap of results, `AT_ONCE` of them under way at any time, as callers keep a service busy."""
        records = [frame_record(self._next + number, self._dice) for number in range(LAP)]
        self._next += LAP
        waiting: deque[Future[FrameRecord]] = deque()
        started = time.perf_counter()
        for record in records:
            if len(waiting) == AT_ONCE:
                waiting.popleft().result()
            waiting.append(self._writer.submit(partial(insert_frame, record=record, key=None)))
        for future in waiting:
            future.result()
        return time.perf_counter() - started

    def lists(self) -> dict[str, Callable[[], object]]:
        """What the viewer and the API ask for, each with an answer in a store of either size."""
        half = self.size // 2
        there = Place(half)
        moment = START + timedelta(seconds=half)
        newest_trial, variant = f"T{(self.size - 1) // TRIAL}", f"V{(self.size - 1) // VARIANT}"
        with self.database.read() as connection:
            middle = list_parts(connection, ORGANISATION, PartFilter(), there, 1)[0]
        flagged = PartFilter(verdict=("review", "reject"), review="unreviewed")
        wanted: dict[str, tuple[PartFilter, Place | None]] = {
            "newest": (PartFilter(), None),
            "a page in the middle": (PartFilter(), there),
            "line": (PartFilter(line="L2"), None),
            "verdict": (PartFilter(verdict=("reject",)), None),
            "line and verdict": (PartFilter(line="L2", verdict=("reject",)), None),
            "flagged and unreviewed": (flagged, None),
            "unreviewed": (PartFilter(review="unreviewed"), None),
            "decided by me": (PartFilter(decided_by=PEOPLE[0]), None),
            "trial": (PartFilter(trial=newest_trial), None),
            "variant and verdict": (PartFilter(variant=variant, verdict=("reject",)), None),
            "defect class": (PartFilter(defect_class="dent"), None),
            "score above": (PartFilter(score_min=1.0), None),
            "highest score first": (PartFilter(sort="score"), None),
            "an hour": (PartFilter(since=moment, until=moment + timedelta(hours=1)), None),
            "serial": (PartFilter(serial=middle.serial), None),
        }
        queries: dict[str, Callable[[], object]] = {
            name: partial(self._list, found, place) for name, (found, place) in wanted.items()
        }
        queries["a part by its id"] = lambda: self._read(part_by_id, middle.id)
        queries["a frame by its id"] = lambda: self._read(frame_by_id, middle.last_frame_id)
        queries["its neighbours in the queue"] = lambda: self._read(neighbours, flagged, middle)
        return queries

    def close(self) -> None:
        self._writer.close()
        self.database.close()

    def _list(self, wanted: PartFilter, place: Place | None) -> object:
        found = self._read(list_parts, wanted, place, PAGE)
        assert found, "a list without an answer measures nothing"
        return found

    def _read(self, query: Callable[..., Any], *words: Any) -> Any:
        with self.database.read() as connection:
            return query(connection, ORGANISATION, *words)


def measure(name: str, small: Store, large: Store, rounds: int, filled_s: float) -> Found:
    say(f"{name}: lists")
    times: dict[str, tuple[list[float], list[float]]] = {}
    queries, others = small.lists(), large.lists()
    for what in queries:
        turns = {"small": partial(_repeated, queries[what]), "large": partial(_repeated, others[what])}
        seconds = take_turns(turns, rounds)
        times[what] = seconds["small"], seconds["large"]
    say(f"{name}: ingest")
    laps = take_turns({"small": small.ingest, "large": large.ingest}, rounds)
    return Found(
        database=name,
        ingest=ratio(laps["large"], laps["small"]),
        lists={what: ratio(there, here) for what, (here, there) in times.items()},
        per_second=(LAP / median(laps["small"]), LAP / median(laps["large"])),
        list_ms={what: (1000 * min(here), 1000 * min(there)) for what, (here, there) in times.items()},
        filled_s=filled_s,
    )


def _repeated(query: Callable[[], object]) -> float:
    """The fastest of some, in seconds: what the query costs, without what else the machine did."""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        query()
        best = min(best, time.perf_counter() - started)
    return best


@contextmanager
def stores(settings: tuple[Settings, Settings], sizes: tuple[int, int]) -> Iterator[tuple[Store, Store, float]]:
    started = time.perf_counter()
    opened = [Store(open_database(one), size) for one, size in zip(settings, sizes, strict=True)]
    try:
        for store in opened:
            say(f"filling with {store.size:,}")
            fill(store.database, store.size)
        yield opened[0], opened[1], time.perf_counter() - started
    finally:
        for store in opened:
            store.close()


def run(place: Path, docs: Path, results: int, base: int, rounds: int) -> str:
    """The report's path. Where no PostgreSQL can be started, SQLite alone is measured and the report says so."""
    remove_folder(place)
    sizes = (base, results)
    found = []
    homes = tuple(Settings(home=place / str(size)) for size in sizes)
    with stores((homes[0], homes[1]), sizes) as (small, large, seconds):
        found.append(measure("SQLite", small, large, rounds, seconds))
    remove_folder(place)
    reason = postgres.missing()
    if reason is None:
        with postgres.running(durable=True) as server:
            for size in sizes:
                server.execute(f"CREATE DATABASE r{size}")
            urls = tuple(Settings(home=place / str(size), database_url=server.url(f"r{size}")) for size in sizes)
            with stores((urls[0], urls[1]), sizes) as (small, large, seconds):
                found.append(measure("PostgreSQL", small, large, rounds, seconds))
    remove_folder(place)
    report = Report(
        name="store",
        title=f"Store: {results:,} results beside {base:,}",
        introduction=(
            "Two stores of the service's own tables, filled alike (four lines, a part a second, 7 % flagged, a fifth "
            "of those unreviewed), take turns within one run. A ratio of 1 says that size costs nothing."
        ),
        machine=describe_machine(),
        repeat=f"make bench ARGS='store --results {results} --base {base}'",
        tables=(_ingest_table(found, sizes), _list_table(found)),
        targets=tuple(_targets(found, results, base, reason)),
    )
    return str(write_report(report, docs))


def _targets(found: list[Found], results: int, base: int, reason: str | None) -> Iterator[Target]:
    for one in found:
        text = f"{one.database}: ingest at {results:,} ≤ {LIMIT}× its time at {base:,}"
        yield Target(text, f"{one.ingest.median:.2f}×", one.ingest.median <= LIMIT)
        worst = max(one.lists, key=lambda what: one.lists[what].median)
        value = one.lists[worst].median
        yield Target(f"{one.database}: lists and filters, the same", f"{value:.2f}× at worst ({worst})", value <= LIMIT)
    if reason is not None:
        yield Target("PostgreSQL: the same", reason, None)


def _ingest_table(found: list[Found], sizes: tuple[int, int]) -> Table:
    return Table(
        "Results coming in",
        ("database", "time, large over small", *(f"results a second at {size:,}" for size in sizes), "filled in, s"),
        tuple(
            (one.database, str(one.ingest), *(f"{rate:,.0f}" for rate in one.per_second), f"{one.filled_s:.0f}")
            for one in found
        ),
        f"Through the writer, each result a new part, {AT_ONCE} under way at a time, {LAP} a lap; rows alone, without "
        "the files, whose cost knows nothing of the store's size. Median (lowest–highest) of the laps' ratios.",
    )


def _list_table(found: list[Found]) -> Table:
    titles = (", large over small", ", fastest ms small", ", fastest ms large", ", their ratio")
    columns = [f"{one.database}{what}" for one in found for what in titles]
    rows = []
    for what in found[0].lists:
        cells = [what]
        for one in found:
            cells += [str(one.lists[what]), *(f"{ms:.2f}" for ms in one.list_ms[what]), f"{one.slowdown(what):.2f}"]
        rows.append(tuple(cells))
    return Table(
        "Lists and filters",
        ("pages of 50, newest first", *columns),
        tuple(rows),
        f"As `/v1/parts` and the viewer ask. Large over small: of the fastest of {REPEATS} in a row each turn, median "
        "(lowest–highest) over the turns; the median is held against the limit. Beside it the ratio of the fastest "
        "answers of all turns.",
    )
