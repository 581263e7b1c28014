"""Browsers that are logged in. Each has a token; to take its row away is a logout."""

import secrets
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.access.keys import digest, good_key
from trialsight_serving.access.principal import Principal
from trialsight_serving.access.users import good_user
from trialsight_serving.store.tables import api_keys, sessions


def open_session(connection: Connection, hours: float, *, key_id: str | None = None, user_id: str | None = None) -> str:
    """A new token, for a key or a user known to be good. Sessions that have ended are cleared out on the way."""
    token, now = secrets.token_urlsafe(32), datetime.now(UTC)
    connection.execute(sessions.delete().where(sessions.c.expires_at < now))
    values = {"sha256": digest(token), "key_id": key_id, "user_id": user_id}
    connection.execute(sessions.insert(), values | {"created_at": now, "expires_at": now + timedelta(hours=hours)})
    return token


def who_has_session(connection: Connection, token: str) -> Principal | None:
    """None where it has ended, or the key or the user is no longer good."""
    row = connection.execute(sa.select(sessions).where(sessions.c.sha256 == digest(token))).mappings().first()
    if row is None or row["expires_at"] <= datetime.now(UTC):
        return None
    if row["user_id"] is not None:
        return good_user(connection, row["user_id"])
    found = good_key(connection, api_keys.c.id == row["key_id"])
    return None if found is None else found[1]


def close_session(connection: Connection, token: str) -> None:
    connection.execute(sessions.delete().where(sessions.c.sha256 == digest(token)))


def close_all_like(connection: Connection, token: str) -> int:
    """Log out everywhere: every session of the same user or key. Gives how many there were."""
    row = connection.execute(sa.select(sessions).where(sessions.c.sha256 == digest(token))).mappings().first()
    if row is None:
        return 0
    column = sessions.c.user_id if row["user_id"] is not None else sessions.c.key_id
    return connection.execute(sessions.delete().where(column == row[column.name])).rowcount
