"""What organisations may use, and have used: frames a day, and the bytes that they store.

A day is UTC's. It has a row for each process that counts, so that on PostgreSQL none waits for another; what is asked
for is their sum. Bytes are those of pictures, defect maps, masks, images of the defect book (as if each row's files
were its own, though equal ones are stored once) and models.
"""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight.errors import TrialsightError
from trialsight_serving.store import audit
from trialsight_serving.store.frames import FrameRecord
from trialsight_serving.store.tables import ORGANISATION, organisations, usage

_COUNT = sa.text(
    "INSERT INTO usage_by_day (organisation_id, day, counted_by, frames, bytes, removed_bytes) "
    "VALUES (:organisation, :day, :counted_by, :frames, :bytes, :removed_bytes) "
    "ON CONFLICT (organisation_id, day, counted_by) DO UPDATE SET frames = usage_by_day.frames + excluded.frames, "
    "bytes = usage_by_day.bytes + excluded.bytes, removed_bytes = usage_by_day.removed_bytes + excluded.removed_bytes"
).bindparams(sa.bindparam("day", type_=sa.Date))
_LIMITS = organisations.c.frames_per_day, organisations.c.frames_per_month, organisations.c.stored_bytes
_DAY = sa.bindparam("day", type_=sa.Date)
_IN_MONTH = usage.c.day.between(sa.bindparam("first", type_=sa.Date), _DAY)
# Made once: a frame that is counted against a quota asks it.
_ALL = (
    sa.select(
        organisations.c.id,
        *_LIMITS,
        sa.func.coalesce(sa.func.sum(sa.case((usage.c.day == _DAY, usage.c.frames), else_=0)), 0),
        sa.func.coalesce(sa.func.sum(sa.case((_IN_MONTH, usage.c.frames), else_=0)), 0),
        sa.func.coalesce(sa.func.sum(usage.c.bytes - usage.c.removed_bytes), 0),
    )
    .outerjoin(usage, usage.c.organisation_id == organisations.c.id)
    .group_by(organisations.c.id, *_LIMITS)
    .order_by(organisations.c.id)
)
_ONE = _ALL.where(organisations.c.id == sa.bindparam("organisation"))
_REMOVER = "retention"  # one process at a time does that
_PEOPLE = "people"


@dataclass(frozen=True)
class Quota:
    """None: no limit."""

    frames_per_day: int | None = None
    frames_per_month: int | None = None
    stored_bytes: int | None = None

    @property
    def limits(self) -> bool:
        return self != Quota()


@dataclass(frozen=True)
class Usage:
    """`day` is the one that the frames are of, UTC; the month is its calendar month."""

    organisation: str
    day: date
    quota: Quota
    frames_today: int = 0
    frames_this_month: int = 0
    stored_bytes: int = 0

    def over(self, room_for: int = 0) -> list[str]:
        """Names of the limits that `room_for` more (frames and bytes) would pass."""
        used = {
            "frames_per_day": self.frames_today,
            "frames_per_month": self.frames_this_month,
            "stored_bytes": self.stored_bytes,
        }
        limits = asdict(self.quota)
        return [name for name, used_ in used.items() if limits[name] is not None and used_ + room_for > limits[name]]

    def storing_nothing(self) -> "Usage":
        """As it is to be judged where nothing is stored."""
        return replace(self, quota=replace(self.quota, stored_bytes=None))


@dataclass(frozen=True)
class Day:
    day: date
    frames: int
    bytes: int
    removed_bytes: int


class QuotaError(Exception):
    """The frame would pass a limit: it is not stored."""

    def __init__(self, usage: Usage) -> None:
        super().__init__(usage.organisation)
        self.usage = usage


def count_frame(connection: Connection, counted_by: str, record: FrameRecord, *, limited: bool) -> None:
    """In the transaction that stores the frame. Raises QuotaError where `limited` and it would pass a limit."""
    day = today()
    count(connection, record.organisation_id, day, counted_by, frames=1, bytes=record.stored_bytes)
    if limited and (found := usage_of(connection, record.organisation_id, day)).over():
        raise QuotaError(found)


def count_inspected(connection: Connection, organisation: str, counted_by: str, frames: int, *, limited: bool) -> None:
    """Frames of which nothing is stored. Raises QuotaError where `limited` and they would pass a limit of frames."""
    day = today()
    count(connection, organisation, day, counted_by, frames=frames)
    if limited and (found := usage_of(connection, organisation, day)).storing_nothing().over():
        raise QuotaError(found.storing_nothing())


def count_stored(connection: Connection, organisation: str, size: int) -> None:
    """In the transaction that stores what a person drew or added."""
    count(connection, organisation, today(), _PEOPLE, bytes=size)


def count_removed(connection: Connection, organisation: str, size: int) -> None:
    """In the transaction that deletes rows whose files have `size` bytes together."""
    if size:
        count(connection, organisation, today(), _REMOVER, removed_bytes=size)


def today() -> date:
    return datetime.now(UTC).date()


def usage_of(connection: Connection, organisation: str, day: date | None = None) -> Usage:
    """Nothing used, without limits, for an organisation that is unknown."""
    found = all_usage(connection, day, organisation)
    return found[0] if found else Usage(organisation, day or today(), Quota())


def all_usage(connection: Connection, day: date | None = None, organisation: str | None = None) -> list[Usage]:
    """Of each organisation, by id."""
    day = day or today()
    given = {"day": day, "first": day.replace(day=1)} | ({} if organisation is None else {"organisation": organisation})
    rows = connection.execute(_ALL if organisation is None else _ONE, given)
    return [Usage(row[0], day, Quota(*row[1:4]), *map(int, row[4:])) for row in rows]


def usage_by_day(connection: Connection, organisation: str, days: int) -> list[Day]:
    """Those of the last `days` on which something happened, newest first."""
    sums = [sa.func.sum(column) for column in (usage.c.frames, usage.c.bytes, usage.c.removed_bytes)]
    mine = (usage.c.organisation_id == organisation) & (usage.c.day > today() - timedelta(days=days))
    rows = connection.execute(
        sa.select(usage.c.day, *sums).where(mine).group_by(usage.c.day).order_by(usage.c.day.desc())
    )
    return [Day(row[0], *map(int, row[1:])) for row in rows]


def set_quota(connection: Connection, organisation: str, quota: Quota, *, who: str) -> None:
    """The record stands in the organisation's own chain and in the home's. Raises TrialsightError: unknown."""
    found = all_usage(connection, organisation=organisation)
    if not found:
        raise TrialsightError(f"there is no organisation {organisation}", "see `trialsight organisation list`")
    before = found[0].quota
    if quota == before:
        return
    connection.execute(organisations.update().where(organisations.c.id == organisation), asdict(quota))
    for chain in sorted({ORGANISATION, organisation}):
        audit.record(connection, chain, who, "quota.set", f"organisation/{organisation}", asdict(before), asdict(quota))


def changed(quota: Quota, **limits: int | None) -> Quota:
    """What is None stays."""
    return replace(quota, **{name: value for name, value in limits.items() if value is not None})


def count(connection: Connection, organisation: str, day: date, counted_by: str, **counts: Any) -> None:
    """`counts`: frames, bytes, removed_bytes. `counted_by`: each writer has a row of its own, so that none waits."""
    zero = {"frames": 0, "bytes": 0, "removed_bytes": 0}
    connection.execute(_COUNT, {"organisation": organisation, "day": day, "counted_by": counted_by} | zero | counts)
