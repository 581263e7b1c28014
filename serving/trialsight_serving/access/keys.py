"""API keys and browser sessions. Only sha256 is stored: a key has 256 random bits, so no slow hash is needed."""

import hashlib
import hmac
import secrets
import uuid
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.access.principal import Principal, Role
from trialsight_serving.store import audit
from trialsight_serving.store.tables import ORGANISATION, api_keys, sessions


def make_key(
    connection: Connection,
    role: Role,
    name: str,
    expires_at: datetime | None = None,
    organisation: str = ORGANISATION,
    *,
    who: str,
) -> str:
    """A new key, `ts_…`. This is the only time that it can be seen."""
    key = f"ts_{secrets.token_urlsafe(32)}"
    values = {
        "id": uuid.uuid4().hex,
        "organisation_id": organisation,
        "sha256": digest(key),
        "role": role.value,
        "name": name,
        "created_at": datetime.now(UTC),
        "expires_at": expires_at,
    }
    connection.execute(api_keys.insert(), values)
    until = None if expires_at is None else expires_at.isoformat()
    new = {"role": role.value, "name": name, "expires_at": until}
    audit.record(connection, organisation, who, "key.made", f"key/{values['id']}", new=new)
    return key


def any_key(connection: Connection) -> bool:
    return connection.execute(sa.select(api_keys.c.id).limit(1)).first() is not None


def who_has_key(connection: Connection, key: str) -> Principal | None:
    """None for an unknown or expired key."""
    return _principal(connection, api_keys.c.sha256 == digest(key), digest(key))


def open_session(connection: Connection, key: str, hours: float) -> str:
    """A browser's token for a key that is known to be good. Sessions that have ended are cleared out on the way."""
    token = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    connection.execute(sessions.delete().where(sessions.c.expires_at < now))
    key_id = connection.execute(sa.select(api_keys.c.id).where(api_keys.c.sha256 == digest(key))).scalar_one()
    values = {"sha256": digest(token), "key_id": key_id, "expires_at": now + timedelta(hours=hours)}
    connection.execute(sessions.insert(), values)
    return token


def close_session(connection: Connection, token: str) -> None:
    connection.execute(sessions.delete().where(sessions.c.sha256 == digest(token)))


def who_has_session(connection: Connection, token: str) -> Principal | None:
    query = sa.select(sessions).where(sessions.c.sha256 == digest(token))
    row = connection.execute(query).mappings().first()
    if row is None or row["expires_at"] <= datetime.now(UTC):
        return None
    return _principal(connection, api_keys.c.id == row["key_id"])


def _principal(
    connection: Connection, clause: sa.ColumnElement[bool], expected_sha256: str | None = None
) -> Principal | None:
    row = connection.execute(sa.select(api_keys).where(clause)).mappings().first()
    if row is None or (row["expires_at"] is not None and row["expires_at"] <= datetime.now(UTC)):
        return None
    if expected_sha256 is not None and not hmac.compare_digest(row["sha256"], expected_sha256):
        return None
    return Principal(row["organisation_id"], row["name"], Role(row["role"]))


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
