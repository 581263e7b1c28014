"""Taking files away, without ever taking one that a row needs.

A file can be wanted again at the very moment in which it is taken away: a camera sends the same picture once more. So
files are only deleted within a transaction that sees that no row needs them, and a frame whose file was there already
looks again within its own. The two take turns: SQLite has one writer; on PostgreSQL an advisory lock does it. A file
that was written for a row which is still on its way is young, and no young file is deleted.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store.database import Database
from trialsight_serving.store.images import ImageStore
from trialsight_serving.store.tables import frames, masks, unneeded_files

YOUNG = timedelta(minutes=10)
_BATCH = 20  # deleted while the store's lock is held: frames wait for it
_FILES_LOCK = 0x7472_6962


class FileGoneError(Exception):
    """A file that was there when a frame came has been taken away since: it must be written again."""


def keep_files(connection: Connection, images: ImageStore, names: Sequence[str]) -> None:
    """Raises FileGoneError where one of `names` is gone; else they stay, since the caller's row will need them."""
    if not names:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_FILES_LOCK)))
    for name in names:
        if not images.has(name):
            raise FileGoneError(name)


def note_unneeded(connection: Connection, names: Iterable[str]) -> None:
    """Remember files for `purge`, in the transaction that takes their rows away: a crash between leaves no litter."""
    values = [{"sha256": name} for name in sorted(set(names))]
    if values:
        connection.execute(
            sa.text("INSERT INTO unneeded_files (sha256) VALUES (:sha256) ON CONFLICT DO NOTHING"), values
        )


def purge(database: Database, images: ImageStore, now: datetime | None = None) -> tuple[int, int]:
    """Delete what was noted and no row needs: how many files, and their bytes. Young files wait for the next time."""
    before = (now or datetime.now(UTC)) - YOUNG
    count, freed, last = 0, 0, ""
    while True:
        with database.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_FILES_LOCK)))
            query = sa.select(unneeded_files.c.sha256).where(unneeded_files.c.sha256 > last)
            names = list(connection.execute(query.order_by(unneeded_files.c.sha256).limit(_BATCH)).scalars())
            if not names:
                return count, freed
            last = names[-1]
            done = set(needed_files(connection, names))
            for name in set(names) - done:
                size = images.delete(name, before)
                count, freed = count + bool(size), freed + size
                if size or not images.has(name):
                    done.add(name)
            connection.execute(unneeded_files.delete().where(unneeded_files.c.sha256.in_(done)))


def needed_files(connection: Connection, names: Sequence[str]) -> frozenset[str]:
    """Those of `names` that a row needs."""
    columns = frames.c.image_sha256, frames.c.map_sha256, masks.c.sha256
    queries = (sa.select(column).where(column.in_(names)) for column in columns)
    return frozenset(connection.execute(sa.union(*queries)).scalars())
