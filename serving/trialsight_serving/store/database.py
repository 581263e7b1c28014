"""The engine, the migrations, and two ways in: a consistent read, and a write that holds the lock from its start."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from trialsight.errors import TrialsightError
from trialsight_serving.settings import Settings
from trialsight_serving.store.tables import ORGANISATION, lines, organisations

BUSY_MS = 10_000
_MIGRATION_LOCK = 0x7472_6961  # any number, the same in every process


class Database:
    """SQLite in WAL mode by default, PostgreSQL by URL; the same tables and the same code on both."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction. On SQLite it takes the write lock at once, so it can't fail half-way as a stale reader."""
        with self.engine.connect().execution_options(trialsight_write=True) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def open_database(settings: Settings) -> Database:
    """Open, migrate to the newest schema under a lock, and give a fresh home its organisation and default lines."""
    url = settings.database_url
    if url is None:
        settings.paths.root.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{settings.paths.database}"
    engine = sa.create_engine(url, pool_size=16, max_overflow=32)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _tune_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    database = Database(engine)
    try:
        with database.write() as connection:
            _migrate(connection)
            _seed(connection, settings.default_lines)
    except sa.exc.DBAPIError as error:
        engine.dispose()
        raise TrialsightError(
            f"the database {engine.url.render_as_string(hide_password=True)} can't be opened: {error.orig}",
            "check that the home folder is writable and that no other program holds the file",
        ) from error
    return database


def _tune_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours: the driver would delay it past a SAVEPOINT
    for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("trialsight_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _seed(connection: Connection, default_lines: tuple[str, ...]) -> None:
    if connection.execute(sa.select(organisations.c.id)).first() is not None:
        return
    now = datetime.now(UTC)
    connection.execute(organisations.insert(), {"id": ORGANISATION, "name": "Default", "created_at": now})
    for name in default_lines:
        connection.execute(lines.insert(), {"organisation_id": ORGANISATION, "name": name, "created_at": now})
