"""API keys. Only sha256 is stored: a key has 256 random bits, so no slow hash is needed."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from trialsight.errors import TrialsightError
from trialsight_serving.access.principal import Principal, Role
from trialsight_serving.store import audit
from trialsight_serving.store.tables import ORGANISATION, api_keys, sessions, users


@dataclass(frozen=True)
class KeyRecord:
    """All that can be known of a key later. `lines`: the only ones that it may use, None for all."""

    id: str
    name: str
    role: Role
    lines: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def make_key(
    connection: Connection,
    role: Role,
    name: str,
    expires_at: datetime | None = None,
    organisation: str = ORGANISATION,
    lines: Collection[str] | None = None,
    *,
    who: str,
) -> str:
    """A new key, `ts_…`. This is the only time that it can be seen."""
    key = f"ts_{secrets.token_urlsafe(32)}"
    values = {
        "id": secrets.token_hex(16),
        "organisation_id": organisation,
        "sha256": digest(key),
        "role": role.value,
        "name": name,
        "lines": None if lines is None else sorted(lines),
        "created_at": datetime.now(UTC),
        "expires_at": expires_at,
    }
    connection.execute(api_keys.insert(), values)
    until = None if expires_at is None else expires_at.isoformat()
    new = {"role": role.value, "name": name, "lines": values["lines"], "expires_at": until}
    audit.record(connection, organisation, who, "key.made", f"key/{values['id']}", new=new)
    return key


def list_keys(connection: Connection, organisation: str) -> list[KeyRecord]:
    """Newest first, revoked and expired ones among them."""
    query = sa.select(api_keys).where(api_keys.c.organisation_id == organisation)
    return [_record(row) for row in connection.execute(query.order_by(api_keys.c.created_at.desc())).mappings()]


def revoke_key(connection: Connection, organisation: str, key_id: str, *, who: str) -> KeyRecord:
    """From now on the key is none, and browsers that it opened are logged out. Raises TrialsightError: no such key."""
    mine = (api_keys.c.organisation_id == organisation) & (api_keys.c.id == key_id)
    row = connection.execute(sa.select(api_keys).where(mine)).mappings().first()
    if row is None:
        raise TrialsightError(f"there is no key {key_id}", "see `trialsight key list`")
    if row["revoked_at"] is None:
        now = datetime.now(UTC)
        connection.execute(api_keys.update().where(mine), {"revoked_at": now})
        connection.execute(sessions.delete().where(sessions.c.key_id == key_id))
        audit.record(connection, organisation, who, "key.revoked", f"key/{key_id}", old={"name": row["name"]})
        row = connection.execute(sa.select(api_keys).where(mine)).mappings().one()
    return _record(row)


def anyone_known(connection: Connection) -> bool:
    """Whether the home has a key or a user at all, whatever became of it."""
    either = sa.select(api_keys.c.id).union_all(sa.select(users.c.id)).limit(1)
    return connection.execute(either).first() is not None


def who_has_key(connection: Connection, key: str) -> tuple[str, Principal] | None:
    """The key's id and whom it stands for; None for an unknown, expired or revoked one."""
    return good_key(connection, api_keys.c.sha256 == digest(key))


def good_key(connection: Connection, clause: sa.ColumnElement[bool]) -> tuple[str, Principal] | None:
    row = connection.execute(sa.select(api_keys).where(clause)).mappings().first()
    if row is None or row["revoked_at"] is not None:
        return None
    if row["expires_at"] is not None and row["expires_at"] <= datetime.now(UTC):
        return None
    lines = None if row["lines"] is None else frozenset(row["lines"])
    return row["id"], Principal(row["organisation_id"], row["name"], Role(row["role"]), lines)


def note_use(connection: Connection, key_id: str) -> None:
    connection.execute(api_keys.update().where(api_keys.c.id == key_id), {"last_used_at": datetime.now(UTC)})


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _record(row: RowMapping) -> KeyRecord:
    values = {name: row[name] for name in KeyRecord.__dataclass_fields__}
    lines = None if row["lines"] is None else tuple(row["lines"])
    return KeyRecord(**values | {"role": Role(row["role"]), "lines": lines})
