"""What is deleted to make room: old parts by their verdict, and the oldest while the disk is short of room.

Never a part that somebody decided about, holds, or has otherwise said something of; never one whose picture is a
golden frame; never the newest part of all, whose number the next one counts on from. A part goes whole: its rows and
the record of it in one transaction, then those of its files that no other row needs.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store import audit
from trialsight_serving.store.database import Transact
from trialsight_serving.store.tables import frames, idempotency_keys, metadata, organisations, parts, shadow_results
from trialsight_serving.store.upkeep.purge import YOUNG, note_unneeded
from trialsight_serving.store.usage import count_removed

BATCH = 100
# What says least about the process goes first where the disk is short of room.
ORDER = ("pass", "no_verdict", "review", "reject")


@dataclass(frozen=True)
class Policy:
    """`keep`: how long by verdict, for ever where it is left out. `golden`: sha256 of golden frames."""

    keep: Mapping[str, timedelta]
    golden: Collection[str] = ()


@dataclass
class Removed:
    """What went, or would go."""

    parts: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    files: set[str] = field(default_factory=set)

    def add(self, verdict: str, rows: int, frame_count: int, files: Collection[str]) -> None:
        self.parts[verdict] = self.parts.get(verdict, 0) + rows
        self.frames += frame_count
        self.files |= set(files)


def remove_old(transact: Transact, policy: Policy, now: datetime | None = None, *, dry: bool = False) -> Removed:
    """Delete what is older than its verdict's time; `dry` only tells."""
    now = now or datetime.now(UTC)
    removed = Removed()
    for verdict, age in sorted(policy.keep.items()):
        _remove(transact, policy, verdict, now - max(age, YOUNG), "age", removed, dry=dry)
    return removed


def remove_oldest(transact: Transact, policy: Policy, enough: Callable[[], bool]) -> Removed:
    """Delete the oldest, by `ORDER`, until there is `enough` room or nothing is left that may go."""
    removed = Removed()
    for verdict in ORDER:
        _remove(transact, policy, verdict, datetime.now(UTC) - YOUNG, "disk", removed, enough=enough)
    return removed


def _remove(
    transact: Transact,
    policy: Policy,
    verdict: str,
    before: datetime,
    why: str,
    removed: Removed,
    *,
    enough: Callable[[], bool] = lambda: False,
    dry: bool = False,
) -> None:
    """Batch by batch, oldest first, each in a transaction of its own so that frames get in between."""

    def batch(connection: Connection, organisation: str, last: int) -> int | None:
        rows = _candidates(connection, organisation, verdict, last, policy.golden)
        # The list is by number, and clocks may have jumped: it ends where a whole batch is too young.
        due = [row for row in rows if row.last_at < before]
        if due:
            _delete(connection, organisation, verdict, due, why, removed, dry=dry)
        return rows[-1].last_seq if due and len(rows) == BATCH else None

    for organisation in transact(_organisations):
        last: int | None = 0
        while last is not None and not enough():
            last = transact(partial(batch, organisation=organisation, last=last))


def _organisations(connection: Connection) -> Sequence[str]:
    return connection.execute(sa.select(organisations.c.id).order_by(organisations.c.id)).scalars().all()


def _candidates(
    connection: Connection, organisation: str, verdict: str, after: int, golden: Collection[str]
) -> Sequence[Any]:
    """Parts that nobody has said anything of: no row of any table but `frames` points at them."""
    query = sa.select(parts.c.id, parts.c.last_seq, parts.c.last_at).where(
        parts.c.organisation_id == organisation,
        parts.c.verdict == verdict,
        parts.c.last_seq > after,
        parts.c.last_seq < sa.select(sa.func.max(frames.c.seq)).scalar_subquery(),
        parts.c.decision.is_(None),
        parts.c.hold.is_(None),
    )
    for table in metadata.tables.values():
        for key in table.foreign_keys:
            if key.column.table is parts and table is not frames:
                query = query.where(~sa.exists().where(key.parent == parts.c.id))
    if golden:
        query = query.where(~sa.exists().where(frames.c.part_id == parts.c.id, frames.c.image_sha256.in_(golden)))
    return connection.execute(query.order_by(parts.c.last_seq).limit(BATCH).with_for_update()).all()


def _delete(
    connection: Connection,
    organisation: str,
    verdict: str,
    rows: Sequence[Any],
    why: str,
    removed: Removed,
    *,
    dry: bool,
) -> None:
    ids = [row.id for row in rows]
    columns = frames.c.id, frames.c.image_sha256, frames.c.map_sha256, frames.c.stored_bytes
    found = connection.execute(sa.select(*columns).where(frames.c.part_id.in_(ids))).all()
    files = {name for row in found for name in (row.image_sha256, row.map_sha256) if name is not None}
    if not dry:
        names = [row.id for row in found]
        for column in (idempotency_keys.c.frame_id, shadow_results.c.frame_id):
            connection.execute(column.table.delete().where(column.in_(names)))
        connection.execute(frames.delete().where(frames.c.part_id.in_(ids)))
        connection.execute(parts.delete().where(parts.c.id.in_(ids)))
        note_unneeded(connection, files)
        count_removed(connection, organisation, sum(row.stored_bytes for row in found))
        old = {"verdict": verdict, "parts": ids, "frames": len(names), "why": why}
        audit.record(connection, organisation, "service", "retention.deleted", f"parts/{len(ids)}", old=old)
    removed.add(verdict, len(ids), len(found), files)
