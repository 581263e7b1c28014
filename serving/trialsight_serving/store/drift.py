"""What drift is told from and what was found: references, looks and alarms."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from trialsight_serving.store import audit
from trialsight_serving.store.tables import frames
from trialsight_serving.store.tables.drift import drift_alarms, drift_looks, drift_references


@dataclass(frozen=True)
class Watched:
    """One camera of a line and the model version that judges its frames: what drifts by itself."""

    organisation: str
    line: str
    view: str
    recipe: str
    version: str


@dataclass(frozen=True)
class Seen:
    """What one frame tells. `embedding`: float16 bytes."""

    seq: int
    frame_id: str
    signals: dict[str, float]
    score: float | None
    embedding: bytes | None


@dataclass(frozen=True)
class ReferenceRecord:
    """`sample`: an .npz, None until enough frames came; `last_seq`: of its last frame."""

    id: int
    of: Watched
    first_seq: int
    last_seq: int | None
    sample: bytes | None
    made_by: str
    made_at: datetime


@dataclass(frozen=True)
class AlarmRecord:
    """`findings`: of the look that saw it last. `clear_looks`: how many in a row saw it no more. `ended_by`: None where
    the cause went away."""

    id: str
    organisation_id: str
    line: str
    view: str
    recipe: str
    version: str
    reference_id: int
    cause: str
    findings: list[dict[str, Any]]
    opened_at: datetime
    opened_seq: int
    seen_at: datetime
    clear_looks: int = 0
    ended_at: datetime | None = None
    ended_by: str | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True)
class LookRecord:
    seq: int
    at: datetime
    findings: list[dict[str, Any]]


def watched_since(connection: Connection, seq: int) -> dict[Watched, tuple[int, int]]:
    """What sent frames after `seq` that were looked at: the first of them, and how many."""
    keys = frames.c.organisation_id, frames.c.line, frames.c.view, frames.c.recipe, frames.c.model_version
    query = sa.select(*keys, sa.func.min(frames.c.seq), sa.func.count()).where(
        frames.c.seq > seq, frames.c.signals.is_not(None)
    )
    return {Watched(*row[:5]): (row[5], row[6]) for row in connection.execute(query.group_by(*keys))}


def signals_of(connection: Connection, of: Watched, after: int, limit: int, *, newest: bool) -> list[Seen]:
    """Of frames after `after`: the first of them or the newest, oldest first."""
    columns = frames.c.seq, frames.c.id, frames.c.signals, frames.c.score, frames.c.embedding
    query = sa.select(*columns).where(
        frames.c.organisation_id == of.organisation,
        frames.c.line == of.line,
        frames.c.seq > after,
        frames.c.view == of.view,
        frames.c.recipe == of.recipe,
        frames.c.model_version == of.version,
        frames.c.signals.is_not(None),
    )
    order = frames.c.seq.desc() if newest else frames.c.seq
    found = [Seen(*row) for row in connection.execute(query.order_by(order).limit(limit))]
    return found[::-1] if newest else found


def find_reference(connection: Connection, of: Watched) -> ReferenceRecord | None:
    """The newest."""
    query = sa.select(drift_references).where(_is(drift_references, of)).order_by(drift_references.c.id.desc())
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else _reference(row)


def list_references(connection: Connection, organisation: str, line: str) -> list[ReferenceRecord]:
    """The newest of each view: of the version that judges it now."""
    newest = sa.select(sa.func.max(drift_references.c.id)).where(
        drift_references.c.organisation_id == organisation, drift_references.c.line == line
    )
    query = sa.select(drift_references).where(drift_references.c.id.in_(newest.group_by(drift_references.c.view)))
    return [_reference(row) for row in connection.execute(query.order_by(drift_references.c.view)).mappings()]


def begin_reference(connection: Connection, of: Watched, first_seq: int, made_by: str, at: datetime) -> None:
    """From frame `first_seq` on; whatever alarm was open of this view is over."""
    values = {"first_seq": first_seq, "made_by": made_by, "made_at": at}
    connection.execute(drift_references.insert(), _key(of) | values)
    connection.execute(
        drift_alarms.update().where(_view(drift_alarms, of), drift_alarms.c.ended_at.is_(None)),
        {"ended_at": at, "ended_by": made_by},
    )


def fill_reference(connection: Connection, reference: ReferenceRecord, sample: bytes, last_seq: int) -> None:
    mine = drift_references.c.id == reference.id
    connection.execute(drift_references.update().where(mine), {"sample": sample, "last_seq": last_seq})


def insert_look(
    connection: Connection, reference: ReferenceRecord, seq: int, at: datetime, findings: list[dict[str, Any]]
) -> None:
    values = {"organisation_id": reference.of.organisation, "reference_id": reference.id}
    connection.execute(drift_looks.insert(), values | {"seq": seq, "at": at, "findings": findings})


def list_looks(connection: Connection, reference_id: int, limit: int = 200) -> list[LookRecord]:
    """The newest, oldest first."""
    columns = drift_looks.c.seq, drift_looks.c.at, drift_looks.c.findings
    query = sa.select(*columns).where(drift_looks.c.reference_id == reference_id).order_by(drift_looks.c.id.desc())
    return [LookRecord(*row) for row in connection.execute(query.limit(limit))][::-1]


def settled_seq(connection: Connection, reference: ReferenceRecord) -> int:
    """The last frame of the look that ended this reference's last alarm; 0 where none has ended."""
    ended = sa.select(sa.func.max(drift_alarms.c.ended_at)).where(drift_alarms.c.reference_id == reference.id)
    query = sa.select(sa.func.max(drift_looks.c.seq)).where(
        drift_looks.c.reference_id == reference.id, drift_looks.c.at <= ended.scalar_subquery()
    )
    return int(connection.execute(query).scalar() or 0)


def drop_looks(connection: Connection, before: datetime) -> int:
    return connection.execute(drift_looks.delete().where(drift_looks.c.at < before)).rowcount


def open_alarm(connection: Connection, of: Watched) -> AlarmRecord | None:
    query = sa.select(drift_alarms).where(_view(drift_alarms, of), drift_alarms.c.ended_at.is_(None))
    row = connection.execute(query.order_by(drift_alarms.c.opened_at.desc()).limit(1)).mappings().first()
    return None if row is None else AlarmRecord(**row)


def open_alarms(connection: Connection, organisation: str) -> list[AlarmRecord]:
    """Of all lines: what a badge counts."""
    mine = drift_alarms.c.organisation_id == organisation, drift_alarms.c.ended_at.is_(None)
    query = sa.select(drift_alarms).where(*mine).order_by(drift_alarms.c.line, drift_alarms.c.view)
    return [AlarmRecord(**row) for row in connection.execute(query).mappings()]


def list_alarms(connection: Connection, organisation: str, line: str, limit: int = 50) -> list[AlarmRecord]:
    """The newest first."""
    mine = drift_alarms.c.organisation_id == organisation, drift_alarms.c.line == line
    query = sa.select(drift_alarms).where(*mine).order_by(drift_alarms.c.opened_at.desc(), drift_alarms.c.id)
    return [AlarmRecord(**row) for row in connection.execute(query.limit(limit)).mappings()]


def save_alarm(connection: Connection, alarm: AlarmRecord) -> None:
    """New, or as it stands now."""
    mine = drift_alarms.c.id == alarm.id
    if connection.execute(drift_alarms.update().where(mine), asdict(alarm)).rowcount == 0:
        connection.execute(drift_alarms.insert(), asdict(alarm))


def acknowledge(
    connection: Connection, organisation: str, line: str, alarm_id: str, who: str, note: str, at: datetime
) -> AlarmRecord | None:
    """By the first who does; None where there is no such alarm."""
    mine = (
        drift_alarms.c.organisation_id == organisation,
        drift_alarms.c.line == line,
        drift_alarms.c.id == alarm_id,
    )
    first = drift_alarms.update().where(*mine, drift_alarms.c.acknowledged_by.is_(None))
    values = {"acknowledged_by": who, "acknowledged_at": at, "note": note}
    if connection.execute(first, values).rowcount:
        audit.record(connection, organisation, who, "drift.acknowledged", f"line/{line}", None, {"alarm": alarm_id}, at)
    row = connection.execute(sa.select(drift_alarms).where(*mine)).mappings().first()
    return None if row is None else AlarmRecord(**row)


def _reference(row: RowMapping) -> ReferenceRecord:
    of = Watched(row["organisation_id"], row["line"], row["view"], row["recipe"], row["version"])
    names = ("id", "first_seq", "last_seq", "sample", "made_by", "made_at")
    return ReferenceRecord(of=of, **{name: row[name] for name in names})


def _key(of: Watched) -> dict[str, str]:
    values = asdict(of)
    return {"organisation_id": values.pop("organisation"), **values}


def _is(table: sa.Table, of: Watched) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[name] == value for name, value in _key(of).items()))


def _view(table: sa.Table, of: Watched) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.organisation_id == of.organisation, table.c.line == of.line, table.c.view == of.view)
