"""Parts: the list with its filters, its pages, and the neighbours of a part in it. Every path goes along an index."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from trialsight_serving.store.tables import decisions, frames, parts

VERDICTS = ("pass", "review", "reject", "no_verdict")
Sort = Literal["newest", "score", "informative"]  # the last is `selection`'s
# Rows are stored in nearly the order in which their frames came in; this many may be out of it.
_OUT_OF_ORDER = 1000
_FEW = 200  # decisions of a person


@dataclass(frozen=True)
class PartRecord:
    """`verdict`, `reason` and `score`: the worst over the newest frame of each view. `decision`, `review` and
    `defect_class`: what people made of it (`store.standing`)."""

    id: str
    organisation_id: str
    serial: str
    trial: str
    line: str
    verdict: str
    reason: str | None
    why: dict[str, Any] | None
    score: float | None
    variant: str
    decision: str | None
    review: str
    defect_class: str | None
    hold: str | None
    last_seq: int
    last_frame_id: str
    last_at: datetime


_PARTS = sa.select(*(parts.c[field.name] for field in fields(PartRecord)))


@dataclass(frozen=True)
class PartFilter:
    """None or empty: any. `review`: a state of `store.standing`. `decided_by`: parts that this person decided about.
    `since` inclusive, `until` not. `audit_rate`: only what a random draw with that chance takes of the passes.

    Sorted by score (highest first), parts without a score are left out.
    """

    line: str | None = None
    verdict: tuple[str, ...] = ()
    trial: str | None = None
    view: str | None = None
    serial: str | None = None
    variant: str | None = None
    defect_class: str | None = None
    score_min: float | None = None
    score_max: float | None = None
    since: datetime | None = None
    until: datetime | None = None
    review: str | None = None
    decided_by: str | None = None
    sort: Sort = "newest"
    audit_rate: float | None = None


@dataclass(frozen=True)
class Place:
    """Where a part stands in a list: the keyset of the next page."""

    seq: int
    score: float | None = None

    def __str__(self) -> str:
        return str(self.seq) if self.score is None else f"{self.score!r}_{self.seq}"

    @classmethod
    def of(cls, record: PartRecord, sort: Sort) -> "Place":
        return cls(record.last_seq, record.score if sort == "score" else None)

    @classmethod
    def parse(cls, text: str, sort: Sort) -> "Place":
        """Raises ValueError for what `str` never gave for a list of this order."""
        score, _, seq = text.rpartition("_")
        if not seq.isascii() or not seq.isdigit() or len(seq) > 18 or bool(score) != (sort == "score"):
            raise ValueError("not a cursor of this list")
        return cls(int(seq), float(score) if score else None)


def list_parts(
    connection: Connection, organisation: str, wanted: PartFilter, after: Place | None, limit: int
) -> list[PartRecord]:
    """The page behind `after` (keyset paging: page 1,000 costs what page 1 costs)."""
    return _page(connection, organisation, wanted, after, limit, back=False)


def part_by_id(connection: Connection, organisation: str, part_id: str) -> PartRecord | None:
    query = _PARTS.where(parts.c.organisation_id == organisation, parts.c.id == part_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else PartRecord(**row)


def neighbours(
    connection: Connection, organisation: str, wanted: PartFilter, record: PartRecord
) -> tuple[str | None, str | None]:
    """Ids of the parts just before and just behind `record` in the filtered list; it need not be in it itself."""
    if wanted.sort == "score" and record.score is None:
        return None, None
    place = Place.of(record, wanted.sort)
    before = _page(connection, organisation, wanted, place, 1, back=True)
    behind = _page(connection, organisation, wanted, place, 1, back=False)
    return (before[0].id if before else None), (behind[0].id if behind else None)


def count_parts(connection: Connection, organisation: str, wanted: PartFilter, *more: sa.ColumnElement[bool]) -> int:
    clauses = [*_where(connection, organisation, wanted), *more]
    if wanted.verdict:
        clauses.append(parts.c.verdict.in_(wanted.verdict))
    return connection.execute(sa.select(sa.func.count()).select_from(parts).where(*clauses)).scalar_one()


def drawn(rate: float) -> sa.ColumnElement[bool]:
    """Whether a part is in the audit sample: the last 16 bits of its id are random."""
    return sa.func.substr(parts.c.id, 29, 4) < f"{round(rate * 65536):04x}" if rate < 1 else sa.true()


def variants_of(connection: Connection, organisation: str) -> list[str]:
    """Each variant that a part was seen of, found by jumping from one to the next in the index."""
    found: list[str] = []
    mine = sa.select(sa.func.min(parts.c.variant)).where(parts.c.organisation_id == organisation)
    while (following := connection.execute(mine.where(parts.c.variant > (found or [""])[-1])).scalar()) is not None:
        found.append(following)
    return found


def _page(
    connection: Connection, organisation: str, wanted: PartFilter, place: Place | None, limit: int, back: bool
) -> list[PartRecord]:
    """One query for each verdict where verdicts are asked for: each is a range of an index in the list's own order,
    so that nothing is sorted, and what is read is what is shown."""
    clauses = _where(connection, organisation, wanted)
    few = None if wanted.decided_by is None else _few_decided(connection, organisation, wanted.decided_by)
    if few is not None:
        clauses.append(parts.c.id.in_(few))
    elif wanted.decided_by is not None:
        clauses += _decided_by(organisation, wanted.decided_by)
    order = [parts.c.score, parts.c.last_seq] if wanted.sort == "score" else [parts.c.last_seq]
    if wanted.sort == "score":
        clauses.append(parts.c.score.is_not(None))
    if place is not None:
        clauses.append(_beyond(order, place, back))
    verdicts: tuple[str | None, ...] = wanted.verdict
    if not verdicts:
        verdicts = VERDICTS if wanted.review is not None and wanted.sort == "newest" else (None,)
    rows: list[RowMapping] = []
    for verdict in verdicts:
        query = _PARTS.where(*clauses, *([] if verdict is None else [parts.c.verdict == verdict]))
        if few is None:
            query = query.order_by(*(column if back else column.desc() for column in order)).limit(limit)
        rows.extend(connection.execute(query).mappings())
    rows.sort(key=lambda row: tuple(row[column.name] for column in order), reverse=not back)
    return [PartRecord(**row) for row in rows[:limit]]


def _beyond(order: list[sa.Column[Any]], place: Place, back: bool) -> sa.ColumnElement[bool]:
    at = (place.seq,) if len(order) == 1 else (place.score, place.seq)
    here, there = sa.tuple_(*order), sa.tuple_(*(sa.literal(value) for value in at))
    return here > there if back else here < there


def _where(connection: Connection, organisation: str, wanted: PartFilter) -> list[sa.ColumnElement[bool]]:
    clauses: list[sa.ColumnElement[bool]] = [parts.c.organisation_id == organisation]
    for name in ("line", "trial", "serial", "variant", "defect_class", "review"):
        if (value := getattr(wanted, name)) is not None:
            clauses.append(parts.c[name] == value)
    if wanted.score_min is not None:
        clauses.append(parts.c.score >= wanted.score_min)
    if wanted.score_max is not None:
        clauses.append(parts.c.score <= wanted.score_max)
    if wanted.view is not None:
        clauses.append(sa.exists().where(frames.c.part_id == parts.c.id, frames.c.view == wanted.view))
    if wanted.audit_rate is not None:
        clauses += [parts.c.verdict == "pass", drawn(wanted.audit_rate)]
    clauses.extend(_within(connection, organisation, wanted))
    return clauses


def _few_decided(connection: Connection, organisation: str, who: str) -> list[str] | None:
    """The parts that somebody decided about, None where there are many: few are looked up one by one and sorted, for
    among a million others they'd be long to find."""
    mine = sa.select(decisions.c.part_id).where(
        decisions.c.organisation_id == organisation, decisions.c.decided_by == who
    )
    found = list(connection.execute(mine.limit(_FEW + 1)).scalars())
    return None if len(found) > _FEW else found


def _decided_by(organisation: str, who: str) -> list[sa.ColumnElement[bool]]:
    """Along the index of those that anybody decided about. OFFSET: else PostgreSQL would join all decisions with all
    parts before it took a page of them."""
    mine = sa.select(decisions.c.id).where(
        decisions.c.organisation_id == organisation,
        decisions.c.decided_by == who,
        decisions.c.part_id == parts.c.id,
    )
    return [parts.c.has_decisions == sa.literal_column("1"), mine.limit(1).offset(0).exists()]


def _within(connection: Connection, organisation: str, wanted: PartFilter) -> Iterator[sa.ColumnElement[bool]]:
    """The time span, and the range of the list's own order that it lies in, so that only that is walked.

    `coalesce` lets PostgreSQL see no span between two times: it would fetch all of it by the time's index, and sort.
    """
    mine = sa.select(parts.c.last_seq).where(parts.c.organisation_id == organisation)
    if wanted.since is not None:
        first = mine.where(parts.c.last_at >= wanted.since).order_by(parts.c.last_at).limit(1)
        seq = connection.execute(first).scalar()
        yield parts.c.last_seq < 0 if seq is None else parts.c.last_seq >= seq - _OUT_OF_ORDER
        yield parts.c.last_at >= wanted.since
    if wanted.until is not None:
        last = mine.where(parts.c.last_at < wanted.until).order_by(parts.c.last_at.desc()).limit(1)
        seq = connection.execute(last).scalar()
        yield parts.c.last_seq < 0 if seq is None else parts.c.last_seq <= seq + _OUT_OF_ORDER
        yield sa.func.coalesce(parts.c.last_at, parts.c.last_at) < wanted.until
