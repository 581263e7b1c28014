"""People with an account, by organisation. A user is disabled and never deleted: history goes on naming them."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from trialsight.errors import TrialsightError
from trialsight_serving.access.passwords import hash_password
from trialsight_serving.access.principal import Principal, Role
from trialsight_serving.store import audit
from trialsight_serving.store.tables import organisations, sessions, users

LONGEST_SUBJECT = 400


@dataclass(frozen=True)
class UserRecord:
    """`subject`: an identity provider's name for them, None for one who comes in by password alone."""

    id: str
    organisation_id: str
    name: str
    role: Role
    created_at: datetime
    last_login_at: datetime | None
    disabled_at: datetime | None
    subject: str | None
    has_password: bool


def add_user(
    connection: Connection,
    organisation: str,
    name: str,
    role: Role,
    password: str | None,
    subject: str | None = None,
    *,
    who: str,
) -> UserRecord:
    """`subject`: an identity provider's name for one who has no password here. Raises TrialsightError."""
    if role is Role.CAMERA:
        raise TrialsightError("a camera has a key, not an account", "make one: trialsight key add --role camera")
    if find_user(connection, organisation, name) is not None:
        raise TrialsightError(f"there is a user {name} already", "choose another name")
    if connection.execute(sa.select(organisations.c.id).where(organisations.c.id == organisation)).first() is None:
        raise TrialsightError(f"there is no organisation {organisation}", "see `trialsight organisation list`")
    if subject is not None:
        _check_subject(connection, subject)
    values = {
        "id": secrets.token_hex(16),
        "organisation_id": organisation,
        "name": name,
        "role": role.value,
        "password": None if password is None else hash_password(password, name),
        "subject": subject,
        "created_at": datetime.now(UTC),
    }
    connection.execute(users.insert(), values)
    audit.record(connection, organisation, who, "user.added", f"user/{values['id']}", new=_told(values))
    return user_by_id(connection, organisation, str(values["id"]))


def change_user(
    connection: Connection,
    organisation: str,
    user_id: str,
    *,
    role: Role | None = None,
    password: str | None = None,
    disabled: bool | None = None,
    subject: str | None = None,
    who: str,
) -> UserRecord:
    """What is None stays. Whoever is disabled, or gets a new role or password, is logged out everywhere.

    Raises TrialsightError: no such user, a bad password.
    """
    user = user_by_id(connection, organisation, user_id)
    values: dict[str, Any] = {}
    if role is not None and role is not user.role:
        if role is Role.CAMERA:
            raise TrialsightError("a camera has a key, not an account", "choose another role")
        values["role"] = role.value
    if password is not None:
        values["password"] = hash_password(password, user.name)
    if disabled is not None and disabled is not (user.disabled_at is not None):
        values["disabled_at"] = datetime.now(UTC) if disabled else None
    if subject is not None:
        _check_subject(connection, subject, user_id)
        values["subject"] = subject
    if not values:
        return user
    connection.execute(users.update().where(users.c.id == user_id), values)
    connection.execute(sessions.delete().where(sessions.c.user_id == user_id))
    changed = user_by_id(connection, organisation, user_id)
    new = _told(vars(changed)) | ({"password": "changed"} if password is not None else {})
    new |= {"subject": subject} if subject is not None else {}
    audit.record(connection, organisation, who, "user.changed", f"user/{user_id}", _told(vars(user)), new)
    return changed


def _check_subject(connection: Connection, subject: str, but: str = "") -> None:
    query = sa.select(users.c.name).where(users.c.subject == subject, users.c.id != but)
    if (other := connection.execute(query).scalar()) is not None:
        raise TrialsightError(f"user {other} has that subject already", "a subject lets one user in")


def list_users(connection: Connection, organisation: str) -> list[UserRecord]:
    query = sa.select(users).where(users.c.organisation_id == organisation).order_by(users.c.name)
    return [_record(row) for row in connection.execute(query).mappings()]


def find_user(connection: Connection, organisation: str, name: str) -> UserRecord | None:
    query = sa.select(users).where(users.c.organisation_id == organisation, users.c.name == name)
    row = connection.execute(query).mappings().first()
    return None if row is None else _record(row)


def has_password(connection: Connection, organisation: str, name: str) -> bool:
    """False for one whom only an identity provider lets in, and where there is nobody of that name."""
    mine = (users.c.organisation_id == organisation) & (users.c.name == name)
    return bool(connection.execute(sa.select(users.c.password.is_not(None)).where(mine)).scalar())


def user_by_id(connection: Connection, organisation: str, user_id: str) -> UserRecord:
    """Raises TrialsightError where there is none."""
    query = sa.select(users).where(users.c.organisation_id == organisation, users.c.id == user_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise TrialsightError(f"there is no user {user_id}", "see `trialsight user list`")
    return _record(row)


def good_user(connection: Connection, user_id: str) -> Principal | None:
    """None for one who is unknown or disabled."""
    row = connection.execute(sa.select(users).where(users.c.id == user_id)).mappings().first()
    if row is None or row["disabled_at"] is not None:
        return None
    return Principal(row["organisation_id"], row["name"], Role(row["role"]))


def _record(row: RowMapping) -> UserRecord:
    kept = ("id", "organisation_id", "name", "created_at", "last_login_at", "disabled_at", "subject")
    known = {name: row[name] for name in kept}
    return UserRecord(**known, role=Role(row["role"]), has_password=row["password"] is not None)


def _told(values: Any) -> dict[str, Any]:
    """What the audit may say."""
    return {"name": values["name"], "role": str(values["role"]), "disabled": values.get("disabled_at") is not None}
