"""A copy of a home while its service runs, and back again: databases as of one moment, and every file they need.

A file never changes once it is stored, so files can be copied after the databases: only those that retention deleted
meanwhile would be missing, and then a newer snapshot is taken, which no longer needs them.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from trialsight import __version__
from trialsight.errors import TrialsightError
from trialsight.files import move_folder, remove_folder, sha256_of, write_json_atomic
from trialsight.home import Home
from trialsight_serving.settings import Settings
from trialsight_serving.store.images import name_of
from trialsight_serving.store.images.local import LocalImages
from trialsight_serving.store.upkeep.purge import FILE_COLUMNS

MANIFEST = "manifest.json"
_SQLITE = b"SQLite format 3\0"
_SKIPPED = (".lock", ".tmp", "-wal", "-shm", "-journal")
_TRIES = 5


@dataclass(frozen=True)
class Manifest:
    """`files`: sha256 by path, without the images, which are named by theirs. `damaged`: images that were no longer
    what their name says when they were copied."""

    version: str
    created_at: str
    home: str
    files: dict[str, str]
    images: int
    bytes: int
    damaged: tuple[str, ...] = ()


def backup(settings: Settings, target: Path, tell: Callable[[str], None] = lambda _: None) -> Manifest:
    """Make `target`, whole or not at all. Raises TrialsightError: it holds something, or the home is not embedded."""
    home, target = settings.paths, target.expanduser().resolve()
    if settings.database_url is not None or settings.images_url is not None:
        raise TrialsightError(
            "only a home that holds its own database and images can be backed up here",
            "PostgreSQL: pg_dump, or a base backup; S3: versioning or replication of the bucket; see docs/operation.md",
        )
    if not home.database.is_file():
        raise TrialsightError(f"{home.root} is no home: it has no {home.database.name}", "name another by --home")
    _must_be_empty(target)
    if target.is_relative_to(home.root):
        raise TrialsightError(f"{target} lies in the home itself", "choose a folder outside of it, on another disk")
    target.parent.mkdir(parents=True, exist_ok=True)
    made = target.with_name(f".{target.name}.partial")
    remove_folder(made)
    made.mkdir()
    try:
        images, size, damaged = _copy_images(home, made, tell)
        files = {}
        for path in _files(home.root, home.images):
            name = path.relative_to(home.root)
            if path != home.database:
                _copy(path, made / name)
            files[name.as_posix()] = sha256_of(made / name)
            size += (made / name).stat().st_size
        now = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(__version__, now, str(home.root), files, images, size, damaged)
        write_json_atomic(made / MANIFEST, asdict(manifest))
        if target.is_dir():
            target.rmdir()
        move_folder(made, target)
    finally:
        remove_folder(made)
    return manifest


def restore(source: Path, home: Home, tell: Callable[[str], None] = lambda _: None) -> Manifest:
    """Check a backup by its checksums and make a home of it. Raises TrialsightError: it is damaged, or the home holds
    something; nothing is written then."""
    manifest = _read_manifest(source)
    _must_be_empty(home.root)
    home.root.parent.mkdir(parents=True, exist_ok=True)
    made = Home(home.root.with_name(f".{home.root.name}.partial"))
    remove_folder(made.root)
    try:
        for name, expected in manifest.files.items():
            copied = made.root / name
            if not copied.resolve().is_relative_to(made.root.resolve()):
                raise TrialsightError(f"{source / MANIFEST} names {name!r}, which lies outside of the home")
            if not (source / name).is_file():
                raise TrialsightError(f"{source / name} is missing", "use another backup")
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, copied)
            if sha256_of(copied) != expected:
                raise TrialsightError(f"{source / name} is damaged: its checksum differs", "use another backup")
        found, kept = LocalImages(Home(source).images), LocalImages(made.images)
        for number, name in enumerate(_needed(made.database)):
            _restore_image(found, kept, name, manifest)
            if number % 1000 == 999:
                tell(f"{number + 1} of {manifest.images} images")
        _move_registry(made, Path(manifest.home), home.root)
        if home.root.is_dir():
            home.root.rmdir()
        move_folder(made.root, home.root)
    finally:
        remove_folder(made.root)
    return manifest


def _copy_images(home: Home, made: Path, tell: Callable[[str], None]) -> tuple[int, int, tuple[str, ...]]:
    """Snapshot the database, copy what it needs, and again where something was deleted meanwhile."""
    found, kept = LocalImages(home.images), LocalImages(Home(made).images)
    for _ in range(_TRIES):
        _snapshot(home.database, made / home.database.name)
        count, size, damaged, gone = 0, 0, [], 0
        for name in _needed(made / home.database.name):
            count += 1
            if (there := kept.size(name)) is None:
                try:
                    data = found.get(name)
                except FileNotFoundError:
                    gone += 1
                    continue
                if name_of(data) != name:
                    damaged.append(name)
                _write(kept.path(name), data)
                there = len(data)
            size += there
            if count % 1000 == 0:
                tell(f"{count} images")
        if not gone:
            return count, size, tuple(damaged)
    raise TrialsightError(f"{gone} images of {home.images} are gone though rows need them", "run `trialsight doctor`")


def _write(path: Path, data: bytes) -> None:
    """Not synced one by one: `move_folder` syncs all of them before the backup gets its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _restore_image(found: LocalImages, kept: LocalImages, name: str, manifest: Manifest) -> None:
    try:
        data = found.get(name)
    except FileNotFoundError:
        raise TrialsightError(f"the backup lacks the image {name}", "use another backup") from None
    if name_of(data) != name and name not in manifest.damaged:
        raise TrialsightError(f"{found.path(name)} is damaged: its checksum differs", "use another backup")
    _write(kept.path(name), data)


def _files(root: Path, images: Path) -> Iterator[Path]:
    """All of a home but its images, locks and what is only there while a program runs."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if Path(folder, name) != images and not name.startswith("."))
        for name in sorted(names):
            if not name.endswith(_SKIPPED) and not name.startswith("."):
                yield Path(folder, name)


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as file:
        is_database = file.read(len(_SQLITE)) == _SQLITE
    if is_database:
        _snapshot(path, target)
    else:
        shutil.copyfile(path, target)


def _snapshot(database: Path, target: Path) -> None:
    """SQLite's own online backup, in one step, so that it is of one moment and no writer makes it begin again."""
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        if (found := copy.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
            raise TrialsightError(f"{database} is damaged: {found}", "bring back an earlier backup")


def _needed(database: Path) -> Iterator[str]:
    """Names of the files that rows need."""
    every = sa.union(*(sa.select(column.label("name")).where(column.is_not(None)) for column in FILE_COLUMNS))
    with closing(sqlite3.connect(database)) as connection:
        yield from (row[0] for row in connection.execute(str(every)))


def _read_manifest(source: Path) -> Manifest:
    try:
        found: dict[str, Any] = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
        return Manifest(**{**found, "damaged": tuple(found["damaged"])})
    except FileNotFoundError:
        raise TrialsightError(
            f"{source} is no backup: it has no {MANIFEST}", "name what `trialsight backup` made"
        ) from None
    except (ValueError, TypeError, KeyError) as error:
        raise TrialsightError(f"{source / MANIFEST} can't be read: {error}", "use another backup") from None


def _move_registry(made: Home, before: Path, after: Path) -> None:
    """MLflow's own store names its artifacts by absolute paths."""
    database = made.root / "mlflow" / "mlflow.db"
    if before == after or not database.is_file():
        return
    with closing(sqlite3.connect(database)) as connection, connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for _, column, kind, *_ in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
                if not kind.upper().startswith(("VARCHAR", "TEXT")):
                    continue
                for old, new in ((before.as_uri(), after.as_uri()), (str(before), str(after))):
                    connection.execute(
                        f'UPDATE "{table}" SET "{column}" = ? || substr("{column}", ?) '  # noqa: S608 - the schema's names
                        f'WHERE substr("{column}", 1, ?) = ?',
                        (f"{new}/", len(old) + 2, len(old) + 1, f"{old}/"),
                    )


def _must_be_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TrialsightError(
            f"{folder} holds something already", "nothing is overwritten: name an empty or new folder"
        )
