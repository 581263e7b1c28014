"""Taking files away, without ever taking one that a row needs.

A file can be wanted again at the very moment in which it is taken away: a camera sends the same picture once more. So
files are only deleted within a transaction that sees that no row needs them, and a frame whose file was there already
looks again within its own. The two take turns: SQLite has one writer; on PostgreSQL an advisory lock does it. A file
that was written for a row which is still on its way is young, and no young file is deleted.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store.database import Transact
from trialsight_serving.store.images import ImageStore
from trialsight_serving.store.tables import class_images, frames, masks, unneeded_files

# Each column that names a file, with an index of its own: whoever adds one adds it here.
FILE_COLUMNS = (frames.c.image_sha256, frames.c.map_sha256, masks.c.sha256, class_images.c.sha256)
YOUNG = timedelta(minutes=10)
_BATCH = 20  # deleted while the store's lock is held: frames wait for it
_PAGE = 500
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
        if images.size(name) is None:
            raise FileGoneError(name)


def note_unneeded(connection: Connection, names: Iterable[str]) -> None:
    """Remember files for `purge`, in the transaction that takes their rows away: a crash between leaves no litter."""
    values = [{"sha256": name} for name in sorted(set(names))]
    if values:
        connection.execute(
            sa.text("INSERT INTO unneeded_files (sha256) VALUES (:sha256) ON CONFLICT DO NOTHING"), values
        )


def note_orphans(transact: Transact, images: ImageStore, now: datetime) -> None:
    """Note the files that no row needs, say of a write that a crash cut off; reads the whole store."""
    found = images.files()
    while page := list(islice(found, _PAGE)):
        names = [file.sha256 for file in page if file.changed_at < now - YOUNG]
        if names:
            transact(partial(_note_orphans, names=names))


def _note_orphans(connection: Connection, names: Sequence[str]) -> None:
    note_unneeded(connection, set(names) - needed_files(connection, names))


def purge(transact: Transact, images: ImageStore, now: datetime | None = None) -> tuple[int, int]:
    """Delete what was noted and no row needs: how many files, and their bytes. Young files wait for the next time."""
    before = (now or datetime.now(UTC)) - YOUNG
    count, freed, last = 0, 0, ""
    while True:
        last, files, size = transact(partial(_purge, images=images, before=before, after=last))
        count, freed = count + files, freed + size
        if not last:
            return count, freed


def _purge(connection: Connection, images: ImageStore, before: datetime, after: str) -> tuple[str, int, int]:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_FILES_LOCK)))
    query = sa.select(unneeded_files.c.sha256).where(unneeded_files.c.sha256 > after)
    names = list(connection.execute(query.order_by(unneeded_files.c.sha256).limit(_BATCH)).scalars())
    count, freed = 0, 0
    done = set(needed_files(connection, names))
    for name in set(names) - done:
        size = images.delete(name, before)
        count, freed = count + bool(size), freed + size
        if size or images.size(name) is None:
            done.add(name)
    connection.execute(unneeded_files.delete().where(unneeded_files.c.sha256.in_(done)))
    return (names[-1] if names else ""), count, freed


def needed_files(connection: Connection, names: Sequence[str]) -> frozenset[str]:
    """Those of `names` that a row needs."""
    queries = (sa.select(column).where(column.in_(names)) for column in FILE_COLUMNS)
    return frozenset(connection.execute(sa.union(*queries)).scalars())
