"""The engine, the migrations, and two ways in: a consistent read, and a write that holds the lock from its start."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, NoSuchModuleError

from trialsight.errors import TrialsightError
from trialsight_serving.settings import Settings
from trialsight_serving.store.tables import ORGANISATION, lines, organisations

BUSY_MS = 10_000
_MIGRATIONS = str(Path(__file__).parent / "migrations")
_MIGRATION_LOCK = 0x7472_6961  # any number, the same in every process


T = TypeVar("T")


class Transact(Protocol):
    """Runs `work` in a transaction of its own: a `Database`'s, or a `Writer`'s turn among the others."""

    def __call__(self, work: Callable[[Connection], T]) -> T: ...


class DatabaseGoneError(DisconnectionError):
    """The file was moved or deleted: what is written to it now would be gone with the process."""


class Database:
    """SQLite in WAL mode by default, PostgreSQL by URL; the same tables and the same code on both."""

    def __init__(self, engine: Engine, file: Path | None = None) -> None:
        self.engine = engine
        self._file = file
        self._identity = _identity(file)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._check()
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction. On SQLite it takes the write lock at once, so it can't fail half-way as a stale reader."""
        with self.engine.connect().execution_options(trialsight_write=True) as connection, connection.begin():
            yield connection
        self._check()  # an open file goes on to take rows after it was deleted; nobody would find them again

    def transact(self, work: Callable[[Connection], T]) -> T:
        with self.write() as connection:
            return work(connection)

    def size_bytes(self) -> int:
        """What it takes on its disk."""
        if self._file is None:
            with self.read() as connection:
                return int(connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar_one())
        files = (self._file, self._file.with_name(f"{self._file.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        self.engine.dispose()

    def _check(self) -> None:
        if _identity(self._file) != self._identity:
            raise DatabaseGoneError(f"{self._file} was moved or deleted while the service had it open; restart it")


def open_database(settings: Settings) -> Database:
    """Open, migrate to the newest schema under a lock, and give a fresh home its organisation and default lines."""
    file = None
    if settings.database_url is None:
        settings.paths.root.mkdir(parents=True, exist_ok=True)
        file = settings.paths.database
    engine = make_engine(settings.database_url or f"sqlite:///{file}")
    try:
        with Database(engine).read() as connection:
            newest = _is_newest(connection)
        if not newest:
            with Database(engine).write() as connection:
                _migrate(connection)
                _seed(connection, settings.default_lines)
    except DBAPIError as error:
        engine.dispose()
        sqlite = engine.dialect.name == "sqlite"
        raise TrialsightError(
            f"the database {engine.url.render_as_string(hide_password=True)} can't be opened: {error.orig}",
            "check that the home folder is writable and that no other program holds the file"
            if sqlite
            else "check that the server runs, and the URL's host, name, user and password",
        ) from error
    return Database(engine, file)


def make_engine(text: str) -> Engine:
    """Raises TrialsightError for a URL that can't be served."""
    try:
        url = sa.make_url(text)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        if url.get_backend_name() == "sqlite":
            # The one used last: its cache of pages is the one that holds what was written last.
            engine = sa.create_engine(url, pool_size=16, max_overflow=32, pool_use_lifo=True)
            sa.event.listen(engine, "connect", _tune_sqlite)
            sa.event.listen(engine, "begin", _begin_sqlite)
            return engine
        if url.get_backend_name() == "postgresql":
            options = f"-c lock_timeout={BUSY_MS} -c timezone=UTC"
            given = {"connect_timeout": 5, "options": options}
            engine = sa.create_engine(url, pool_size=16, max_overflow=32, pool_pre_ping=True, connect_args=given)
            sa.event.listen(engine, "connect", _tune_postgresql)
            return engine
    except (ArgumentError, NoSuchModuleError):
        raise TrialsightError("database_url is no database URL", "give postgresql://USER@HOST/NAME") from None
    except ModuleNotFoundError:
        raise TrialsightError("PostgreSQL needs the driver psycopg", "pip install 'trialsight[postgres]'") from None
    raise TrialsightError(
        f"{url.get_backend_name()} is not served", "give a PostgreSQL URL, or leave it out for SQLite"
    )


def _identity(file: Path | None) -> tuple[int, int] | None:
    try:
        found = None if file is None else file.stat()
    except FileNotFoundError:
        return (0, 0)
    return None if found is None else (found.st_dev, found.st_ino)


def _tune_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours: the driver would delay it past a SAVEPOINT
    for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _tune_postgresql(connection: Any, _: Any) -> None:
    """A server that is set to answer before it has written would lose what we answered."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        if cursor.fetchone()[0] == "off":
            cursor.execute("SET synchronous_commit = on")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("trialsight_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def newest_schema() -> tuple[str, set[str]]:
    """This version's revision, and all that lead to it: told from the files' names, for importing alembic takes a tenth
    of a start."""
    revisions = sorted(file.stem.partition("_")[0] for file in (Path(_MIGRATIONS) / "versions").glob("[0-9]*.py"))
    return revisions[-1], set(revisions)


def _is_newest(connection: Connection) -> bool:
    if not sa.inspect(connection).has_table("alembic_version"):
        return False
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == [
        newest_schema()[0]
    ]


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", _MIGRATIONS.replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _seed(connection: Connection, default_lines: tuple[str, ...]) -> None:
    if connection.execute(sa.select(organisations.c.id)).first() is not None:
        return
    now = datetime.now(UTC)
    connection.execute(organisations.insert(), {"id": ORGANISATION, "name": "Default", "created_at": now})
    for name in default_lines:
        connection.execute(lines.insert(), {"organisation_id": ORGANISATION, "name": name, "created_at": now})
