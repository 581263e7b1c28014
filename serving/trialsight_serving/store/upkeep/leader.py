"""What only one process of those that share a database may do at a time."""

from pathlib import Path
from typing import IO

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from trialsight_serving.store.database import Database


class Leader:
    """PostgreSQL: an advisory lock, held by a connection of its own. SQLite: a lock on a file in the home."""

    def __init__(self, database: Database, file: Path, key: int) -> None:
        self._database, self._file, self._key = database, file, key
        self._connection: Connection | None = None
        self._held: IO[bytes] | None = None

    def lead(self) -> bool:
        """Whether this process leads now; ask again before each piece of work: a connection can be lost."""
        return self._lead_sqlite() if self._database.is_sqlite else self._lead_postgresql()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._held is not None:
            self._held.close()
            self._held = None

    def _lead_postgresql(self) -> bool:
        try:
            if self._connection is not None:
                self._connection.execute(sa.text("SELECT 1"))
                return True
            connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            taken = connection.execute(sa.select(sa.func.pg_try_advisory_lock(self._key))).scalar()
        except SQLAlchemyError:
            self.close()
            return False
        if taken:
            connection.detach()  # given back to the pool it would go on to hold the lock
            self._connection = connection
        else:
            connection.close()
        return bool(taken)

    def _lead_sqlite(self) -> bool:
        if self._held is not None:
            return True
        try:
            import fcntl
        except ModuleNotFoundError:  # Windows: one service a home is all that runs there
            return True
        file = self._file.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._held = file
        return True
