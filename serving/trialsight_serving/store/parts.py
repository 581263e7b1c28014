"""Parts: the list with its filters, one part, and what people decided about it (append-only)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from trialsight_serving.store import audit
from trialsight_serving.store.tables import decisions, frames, parts


@dataclass(frozen=True)
class PartRecord:
    """`verdict`, `reason` and `score`: the worst over the newest frame of each view. `decision`: the newest, if any."""

    id: str
    organisation_id: str
    serial: str
    trial: str
    line: str
    verdict: str
    reason: str | None
    score: float | None
    decision: str | None
    last_seq: int
    last_frame_id: str
    last_at: datetime


@dataclass(frozen=True)
class DecisionRecord:
    id: int
    part_id: str
    frame_id: str
    decision: str
    note: str
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True)
class PartFilter:
    """None or empty: any. `unreviewed`: only parts that nobody has decided about."""

    line: str | None = None
    verdict: tuple[str, ...] = ()
    trial: str | None = None
    view: str | None = None
    serial: str | None = None
    unreviewed: bool = False


def _where(organisation: str, wanted: PartFilter) -> list[sa.ColumnElement[bool]]:
    clauses: list[sa.ColumnElement[bool]] = [parts.c.organisation_id == organisation]
    if wanted.line is not None:
        clauses.append(parts.c.line == wanted.line)
    if wanted.verdict:
        clauses.append(parts.c.verdict.in_(wanted.verdict))
    if wanted.trial is not None:
        clauses.append(parts.c.trial == wanted.trial)
    if wanted.serial is not None:
        clauses.append(parts.c.serial == wanted.serial)
    if wanted.view is not None:
        clauses.append(sa.exists().where(frames.c.part_id == parts.c.id, frames.c.view == wanted.view))
    if wanted.unreviewed:
        clauses.append(parts.c.decision.is_(None))
    return clauses


def list_parts(
    connection: Connection, organisation: str, wanted: PartFilter, before_seq: int | None, limit: int
) -> list[PartRecord]:
    """Newest first, older than `before_seq` (keyset paging: page 1,000 costs what page 1 costs)."""
    query = sa.select(parts).where(*_where(organisation, wanted))
    if before_seq is not None:
        query = query.where(parts.c.last_seq < before_seq)
    return [_part(row) for row in connection.execute(query.order_by(parts.c.last_seq.desc()).limit(limit)).mappings()]


def part_by_id(connection: Connection, organisation: str, part_id: str) -> PartRecord | None:
    query = sa.select(parts).where(parts.c.organisation_id == organisation, parts.c.id == part_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else _part(row)


def neighbours(
    connection: Connection, organisation: str, wanted: PartFilter, seq: int
) -> tuple[str | None, str | None]:
    """Ids of the parts just newer and just older than `seq` in the filtered list."""
    base = sa.select(parts.c.id).where(*_where(organisation, wanted))
    newer = connection.execute(base.where(parts.c.last_seq > seq).order_by(parts.c.last_seq).limit(1)).scalar()
    older = connection.execute(base.where(parts.c.last_seq < seq).order_by(parts.c.last_seq.desc()).limit(1)).scalar()
    return newer, older


def insert_decision(
    connection: Connection,
    organisation: str,
    part_id: str,
    decision: str,
    note: str,
    decided_by: str,
    decided_at: datetime,
) -> DecisionRecord:
    """Append a decision about the part as it stands now, by its newest frame. The part must exist."""
    part = part_by_id(connection, organisation, part_id)
    assert part is not None
    values: dict[str, Any] = {
        "part_id": part_id,
        "frame_id": part.last_frame_id,
        "decision": decision,
        "note": note,
        "decided_by": decided_by,
        "decided_at": decided_at,
    }
    inserted = connection.execute(decisions.insert(), {"organisation_id": organisation, **values})
    assert inserted.inserted_primary_key is not None
    connection.execute(parts.update().where(parts.c.id == part_id), {"decision": decision})
    new = {"decision": decision, "note": note, "frame": part.last_frame_id, "verdict": part.verdict}
    old = None if part.decision is None else {"decision": part.decision}
    audit.record(connection, organisation, decided_by, "part.decided", f"part/{part_id}", old, new, decided_at)
    return DecisionRecord(int(inserted.inserted_primary_key[0]), **values)


def decisions_of(connection: Connection, organisation: str, part_id: str) -> list[DecisionRecord]:
    """Oldest first."""
    query = (
        sa.select(decisions)
        .where(decisions.c.organisation_id == organisation, decisions.c.part_id == part_id)
        .order_by(decisions.c.id)
    )
    rows = connection.execute(query).mappings()
    return [DecisionRecord(**{k: v for k, v in row.items() if k != "organisation_id"}) for row in rows]


def _part(row: RowMapping) -> PartRecord:
    return PartRecord(**row)
