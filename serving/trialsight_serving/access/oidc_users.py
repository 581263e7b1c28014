"""Whom an OpenID provider's claims mean here. What it vouches for is who somebody is; who may come in is ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight.errors import TrialsightError
from trialsight_serving.access.oidc_settings import Oidc
from trialsight_serving.access.principal import Role
from trialsight_serving.access.users import LONGEST_SUBJECT, add_user, change_user
from trialsight_serving.store.tables import users

WHO = "openid provider"  # in the audit record
_RANK = (Role.REVIEWER, Role.ENGINEER, Role.ADMINISTRATOR)


class RefusedError(TrialsightError):
    """The provider knows them; they may not come in here."""


@dataclass(frozen=True)
class _Said:
    subject: str
    name: str
    role: Role | None
    organisation: str


def admit_by_claims(connection: Connection, oidc: Oidc, claims: Mapping[str, Any]) -> str:
    """The user's id, known by its subject or, where the settings say so, added. Their role becomes what the provider
    says. Raises RefusedError. A user is never found by name: whoever could choose one there would be them here."""
    said = _read(oidc, claims)
    row = connection.execute(sa.select(users).where(users.c.subject == said.subject)).mappings().first()
    if row is None:
        return _register(connection, oidc, said)
    if row["disabled_at"] is not None:
        raise RefusedError(f"user {row['name']} is disabled")
    if oidc.organisation_claim is not None and row["organisation_id"] != said.organisation:
        raise RefusedError(f"user {row['name']} belongs to {row['organisation_id']}, not to {said.organisation}")
    user_id = str(row["id"])
    if said.role is not None and said.role.value != row["role"]:
        change_user(connection, row["organisation_id"], user_id, role=said.role, who=WHO)
    return user_id


def _read(oidc: Oidc, claims: Mapping[str, Any]) -> _Said:
    sub = claims.get("sub")
    if not isinstance(sub, str) or not sub or len(oidc.subject(sub)) > LONGEST_SUBJECT:
        raise RefusedError("the provider gave no usable `sub`")
    role = None
    if oidc.role_claim is not None:
        found = _claim(claims, oidc.role_claim)
        values = found if isinstance(found, list) else [found]
        roles = [oidc.roles[one] for one in values if isinstance(one, str) and one in oidc.roles]
        role = max(roles, key=_RANK.index, default=None)
        if role is None:
            raise RefusedError(f"claim {oidc.role_claim} names no role of ours")
    organisation = oidc.organisation
    if oidc.organisation_claim is not None:
        named = _claim(claims, oidc.organisation_claim)
        if not isinstance(named, str):
            raise RefusedError(f"claim {oidc.organisation_claim} names no organisation")
        organisation = named
    names = (_claim(claims, oidc.name_claim), claims.get("email"), sub)
    name = next((str(one).strip() for one in names if _is_name(one)), sub[:200])
    return _Said(oidc.subject(sub), name, role, organisation)


def _register(connection: Connection, oidc: Oidc, said: _Said) -> str:
    if not oidc.register_users or said.role is None:
        raise RefusedError(f"nobody here has the subject {said.subject}")
    try:
        made = add_user(connection, said.organisation, said.name, said.role, None, said.subject, who=WHO)
    except TrialsightError as error:  # a name that is taken, an organisation that isn't there
        raise RefusedError(error.problem) from error
    return made.id


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """By its whole name, since names may be URLs with dots, else by the path."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= 200 and value.isprintable()
