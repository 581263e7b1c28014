"""What was stored before it was counted, counted once: frames, masks and images of the defect book.

A migration wrote down which rows those are; their files are measured here, some of them each round, since a bucket is
asked for each. A row is counted on the day on which it came, in the transaction that strikes it off the list.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store.database import Database, Transact
from trialsight_serving.store.images import ImageStore
from trialsight_serving.store.tables import class_images, frames, masks, uncounted
from trialsight_serving.store.usage import count

BATCH = 100
_BY = "recount"


@dataclass(frozen=True)
class _Kind:
    table: sa.Table
    files: tuple["sa.Column[Any]", ...]
    came_at: "sa.Column[Any]"
    is_frame: bool = False


@dataclass(frozen=True)
class _Row:
    """`id`: as the list has it."""

    id: str
    organisation: str
    day: date
    size: int


_KINDS = {
    "frames": _Kind(frames, (frames.c.image_sha256, frames.c.map_sha256), frames.c.received_at, is_frame=True),
    "masks": _Kind(masks, (masks.c.sha256,), masks.c.drawn_at),
    "class_images": _Kind(class_images, (class_images.c.sha256,), class_images.c.added_at),
}


def recount(database: Database, transact: Transact, images: ImageStore, for_s: float) -> int:
    """How many rows were struck off the list; at most about `for_s` seconds' worth of them."""
    done, end = 0, time.monotonic() + for_s
    while time.monotonic() < end:
        with database.read() as connection:
            listed = connection.execute(sa.select(uncounted).limit(BATCH)).all()
            rows = {
                kind: list(_rows(connection, kind, [one.row_id for one in listed if one.kind == kind], images))
                for kind in {one.kind for one in listed}
            }
        if not listed:
            break
        ids = {kind: [one.row_id for one in listed if one.kind == kind] for kind in rows}
        transact(partial(_count, rows=rows, ids=ids))
        done += len(listed)
    return done


def _rows(connection: Connection, kind: str, ids: list[str], images: ImageStore) -> Iterator[_Row]:
    """Those that are still there, and that nobody has counted."""
    table, one = _KINDS[kind].table, _KINDS[kind]
    keys = [_key(table, row_id) for row_id in ids]
    query = sa.select(table.c.id, table.c.organisation_id, one.came_at, *one.files)
    for row_id, organisation, came_at, *files in connection.execute(
        query.where(table.c.id.in_(keys), table.c.stored_bytes == 0)
    ):
        size = sum(images.size(name) or 0 for name in files if name is not None)
        yield _Row(str(row_id), organisation, came_at.astimezone(UTC).date(), size)


def _count(connection: Connection, rows: Mapping[str, list[_Row]], ids: Mapping[str, list[str]]) -> None:
    frame_counts: Counter[tuple[str, date]] = Counter()
    sizes: Counter[tuple[str, date]] = Counter()
    for kind, found in rows.items():
        one = _KINDS[kind]
        struck = connection.execute(
            uncounted.delete().where(uncounted.c.kind == kind, uncounted.c.row_id.in_(ids[kind]))
        )
        if struck.rowcount != len(ids[kind]):
            raise RuntimeError("another process counts the same rows")  # nothing of this is written
        for row in found:
            set_size = one.table.update().where(one.table.c.id == _key(one.table, row.id))
            if connection.execute(set_size.values(stored_bytes=row.size)).rowcount:
                frame_counts[row.organisation, row.day] += one.is_frame
                sizes[row.organisation, row.day] += row.size
    for (organisation, day), size in sizes.items():
        count(connection, organisation, day, _BY, frames=frame_counts[organisation, day], bytes=size)


def _key(table: sa.Table, row_id: str) -> int | str:
    return row_id if isinstance(table.c.id.type, sa.String) else int(row_id)
