"""The parts list: every filter against a plain scan, page by page, and always along an index."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store.database import Database
from trialsight_serving.store.parts import (
    PartFilter,
    PartRecord,
    Place,
    list_parts,
    neighbours,
    part_by_id,
    variants_of,
)
from trialsight_serving.store.tables import ORGANISATION, decisions, parts

NOW = datetime(2026, 5, 1, 4, 0, tzinfo=UTC)
COUNT = 400

FILTERS = {
    "all": PartFilter(),
    "a line": PartFilter(line="L2"),
    "a trial": PartFilter(trial="T1"),
    "a variant": PartFilter(variant="B"),
    "one verdict": PartFilter(verdict=("reject",)),
    "two verdicts": PartFilter(verdict=("reject", "review")),
    "unreviewed": PartFilter(review="unreviewed"),
    "disagreed rejects of a line": PartFilter(review="disagreed", verdict=("reject",), line="L1"),
    "a class": PartFilter(defect_class="dent"),
    "a score range": PartFilter(score_min=10, score_max=30),
    "a time span": PartFilter(since=NOW + timedelta(minutes=100), until=NOW + timedelta(minutes=200)),
    "after all": PartFilter(since=NOW + timedelta(days=9)),
    "mine": PartFilter(decided_by="mei"),
    "a serial": PartFilter(serial="P-7"),
    "rejects of a variant": PartFilter(variant="B", verdict=("reject",)),
    "by score": PartFilter(sort="score"),
    "rejects by score": PartFilter(sort="score", verdict=("reject",), score_min=20),
    "unreviewed by score": PartFilter(sort="score", review="unreviewed"),
}


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    dice = random.Random(0)
    rows, made = [], []
    for seq in range(1, COUNT + 1):
        verdict = dice.choice(["pass", "review", "reject", "no_verdict"])
        is_decided = dice.random() < 0.2
        rows.append(
            {
                "id": f"{seq:032x}",
                "organisation_id": ORGANISATION,
                "serial": f"P-{seq}",
                "trial": dice.choice(["T1", ""]),
                "line": dice.choice(["L1", "L2"]),
                "variant": dice.choice(["A", "B"]),
                "verdict": verdict,
                "score": None if verdict == "no_verdict" else float(dice.randint(0, 40)),  # many alike
                "review": dice.choice(["unreviewed", "unsure", "disagreed", "decided"]),
                "defect_class": dice.choice([None, "dent", "scratch"]),
                "has_decisions": int(is_decided),
                "last_seq": seq,
                "last_frame_id": f"{seq:032x}",
                "last_at": NOW + timedelta(minutes=seq + dice.choice([0, 0, 3])),
            }
        )
        if is_decided:
            made.append(
                {
                    "organisation_id": ORGANISATION,
                    "part_id": f"{seq:032x}",
                    "frame_id": "f",
                    "decision": "confirm",
                    "decided_by": dice.choice(["mei", "jun"]),
                    "decided_at": NOW,
                    "key": f"k-{seq}",
                }
            )
    with database.write() as connection:
        connection.execute(parts.insert(), rows)
        connection.execute(decisions.insert(), made)
    with database.read() as connection:
        yield connection


def plainly(connection: Connection, wanted: PartFilter) -> list[PartRecord]:
    """The list as anybody would write it down."""
    mine = set(connection.execute(sa.select(decisions.c.part_id).where(decisions.c.decided_by == "mei")).scalars())

    def holds(part: PartRecord) -> bool:
        same = ("line", "trial", "variant", "review", "defect_class", "serial")
        return (
            all(getattr(wanted, name) in (None, getattr(part, name)) for name in same)
            and (not wanted.verdict or part.verdict in wanted.verdict)
            and (wanted.score_min is None or (part.score is not None and part.score >= wanted.score_min))
            and (wanted.score_max is None or (part.score is not None and part.score <= wanted.score_max))
            and (wanted.since is None or part.last_at >= wanted.since)
            and (wanted.until is None or part.last_at < wanted.until)
            and (wanted.decided_by is None or part.id in mine)
            and (wanted.sort == "newest" or part.score is not None)
        )

    columns = [parts.c[name] for name in PartRecord.__dataclass_fields__]
    found = [PartRecord(**row) for row in connection.execute(sa.select(*columns)).mappings()]
    order = (lambda part: (part.score, part.last_seq)) if wanted.sort == "score" else (lambda part: part.last_seq)
    return sorted(filter(holds, found), key=order, reverse=True)


@pytest.mark.parametrize("wanted", FILTERS.values(), ids=FILTERS.keys())
def test_pages_and_neighbours_are_those_of_a_plain_scan(connection: Connection, wanted: PartFilter) -> None:
    expected = [part.id for part in plainly(connection, wanted)]
    if wanted is not FILTERS["after all"]:
        assert 0 < len(expected) < (COUNT if wanted != PartFilter() else COUNT + 1)
    seen: list[str] = []
    place = None
    while page := list_parts(connection, ORGANISATION, wanted, place, 23):
        seen += [part.id for part in page]
        place = Place.parse(str(Place.of(page[-1], wanted.sort)), wanted.sort)
    assert seen == expected
    for at in {0, len(expected) // 2, len(expected) - 1} if expected else set():
        part = part_by_id(connection, ORGANISATION, expected[at])
        assert part is not None
        before = expected[at - 1] if at else None
        behind = expected[at + 1] if at + 1 < len(expected) else None
        assert neighbours(connection, ORGANISATION, wanted, part) == (before, behind)


def test_variants_are_named_once(connection: Connection) -> None:
    assert variants_of(connection, ORGANISATION) == ["A", "B"]


@contextmanager
def statements(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    said: list[tuple[str, Any]] = []

    def hear(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        said.append((statement, parameters))

    sa.event.listen(connection.engine, "before_cursor_execute", hear)
    yield said
    sa.event.remove(connection.engine, "before_cursor_execute", hear)


def test_whether_a_person_decided_much_or_little_the_list_is_the_same(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = list_parts(connection, ORGANISATION, FILTERS["mine"], None, 23)
    monkeypatch.setattr("trialsight_serving.store.parts._FEW", 3)
    assert list_parts(connection, ORGANISATION, FILTERS["mine"], None, 23) == few
    assert len(few) == 23


@pytest.mark.parametrize("wanted", FILTERS.values(), ids=FILTERS.keys())
def test_no_list_walks_the_table_or_sorts(connection: Connection, wanted: PartFilter) -> None:
    if connection.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by statistics, and a small table it rightly walks")
    part = part_by_id(connection, ORGANISATION, f"{200:032x}")
    assert part is not None
    with statements(connection) as said:
        list_parts(connection, ORGANISATION, wanted, Place.of(part, wanted.sort), 10)
        neighbours(connection, ORGANISATION, wanted, part)
    assert said
    for statement, parameters in said:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
        assert not any("SCAN" in step or "TEMP B-TREE" in step for step in plan), (statement, plan)
