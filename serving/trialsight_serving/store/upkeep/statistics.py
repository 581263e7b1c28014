"""What SQLite's planner knows of the tables; without it, it guesses which of two indexes a list should go along."""

from sqlalchemy.engine import Connection

_ROWS_LOOKED_AT = 1000  # of each index, so that it takes milliseconds in a store of any size


def refresh_statistics(connection: Connection) -> None:
    """PostgreSQL does it by itself."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA analysis_limit={_ROWS_LOOKED_AT}")
        connection.exec_driver_sql("ANALYZE")
