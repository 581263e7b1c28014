"""`/v1/me`, `/v1/users`, `/v1/keys`, `/v1/organisations`: who may come in."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from trialsight.errors import TrialsightError
from trialsight_serving.access.keys import list_keys, make_key, revoke_key
from trialsight_serving.access.organisations import add_organisation, list_organisations
from trialsight_serving.access.principal import Role
from trialsight_serving.access.users import LONGEST_SUBJECT, add_user, change_user, find_user, list_users, user_by_id
from trialsight_serving.deps import AdministratorDep, AnyoneDep, OperatorDep, ServiceDep
from trialsight_serving.openapi.errors import problems
from trialsight_serving.problems import Problem, not_found
from trialsight_serving.schemas.access import (
    KeyIn,
    KeyOut,
    MeOut,
    NewKeyOut,
    NewOrganisationOut,
    OrganisationIn,
    OrganisationOut,
    UserChange,
    UserIn,
    UserOut,
)
from trialsight_serving.service import Service

router = APIRouter(prefix="/v1", tags=["access"])
Id = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
T = TypeVar("T")
_TAKEN = problems({409: "There is one of that name"})


@router.get("/me", response_model=MeOut)
def get_me(who: AnyoneDep) -> MeOut:
    lines = None if who.lines is None else sorted(who.lines)
    return MeOut(organisation=who.organisation, name=who.name, role=who.role, lines=lines)


@router.get("/users", response_model=list[UserOut])
def get_users(service: ServiceDep, who: AdministratorDep) -> list[UserOut]:
    with service.database.read() as connection:
        return [UserOut.model_validate(user) for user in list_users(connection, who.organisation)]


@router.post("/users", response_model=UserOut, status_code=201, responses=_TAKEN)
async def post_user(user: UserIn, service: ServiceDep, who: AdministratorDep) -> UserOut:
    """Add a user of the caller's organisation, who comes in by password or through the OpenID provider."""
    subject = _subject(service, user.subject)

    def work(connection: Connection) -> UserOut:
        if find_user(connection, who.organisation, user.name) is not None:
            raise _taken("user", user.name)
        added = add_user(connection, who.organisation, user.name, user.role, user.password, subject, who=who.name)
        return UserOut.model_validate(added)

    return await _write(service, work)


@router.patch("/users/{user_id}", response_model=UserOut, responses=problems({409: "It is your own account"}))
async def patch_user(user_id: Id, change: UserChange, service: ServiceDep, who: AdministratorDep) -> UserOut:
    """Change role, password or subject, disable or enable; whoever is changed is logged out everywhere."""
    wanted = change.model_dump() | {"subject": _subject(service, change.subject)}

    def work(connection: Connection) -> UserOut:
        try:
            user = user_by_id(connection, who.organisation, user_id)
        except TrialsightError:
            raise not_found("user", user_id) from None
        if user.name == who.name and (change.disabled or change.role not in (None, user.role)):
            detail = f"{who.name} would lock themselves out"
            raise Problem(409, "own-account", "Not on your own account", detail, "let another administrator do it")
        changed = change_user(connection, who.organisation, user_id, **wanted, who=who.name)
        return UserOut.model_validate(changed)

    return await _write(service, work)


@router.get("/keys", response_model=list[KeyOut])
def get_keys(service: ServiceDep, who: AdministratorDep) -> list[KeyOut]:
    """Newest first, never the keys themselves."""
    with service.database.read() as connection:
        return [KeyOut.model_validate(key) for key in list_keys(connection, who.organisation)]


@router.post("/keys", response_model=NewKeyOut, status_code=201)
async def post_key(key: KeyIn, service: ServiceDep, who: AdministratorDep) -> NewKeyOut:
    """Make a key of the caller's organisation. Its answer is the only place where the key can be seen."""

    def work(connection: Connection) -> str:
        return make_key(connection, key.role, key.name, key.expires_at, who.organisation, key.lines, who=who.name)

    return NewKeyOut(key=await _write(service, work))


@router.delete("/keys/{key_id}", response_model=KeyOut)
async def delete_key(key_id: Id, service: ServiceDep, who: AdministratorDep) -> KeyOut:
    """Make a key worthless at once. It stays in the list, so that history can name it."""

    def work(connection: Connection) -> KeyOut:
        try:
            return KeyOut.model_validate(revoke_key(connection, who.organisation, key_id, who=who.name))
        except TrialsightError:
            raise not_found("key", key_id) from None

    found = await _write(service, work)
    service.known_keys.forget()
    return found


@router.get("/organisations", response_model=list[OrganisationOut])
def get_organisations(service: ServiceDep, who: OperatorDep) -> list[OrganisationOut]:  # noqa: ARG001
    with service.database.read() as connection:
        return [OrganisationOut.model_validate(one) for one in list_organisations(connection)]


@router.post("/organisations", response_model=NewOrganisationOut, status_code=201, responses=_TAKEN)
async def post_organisation(new: OrganisationIn, service: ServiceDep, who: OperatorDep) -> NewOrganisationOut:
    """Add an organisation with its first administrator's key, which can be seen here alone."""

    def work(connection: Connection) -> NewOrganisationOut:
        if any(one.id == new.id for one in list_organisations(connection)):
            raise _taken("organisation", new.id)
        made = add_organisation(connection, new.id, new.name, who=who.name)
        name = "first administrator"
        key = make_key(connection, Role.ADMINISTRATOR, name, organisation=new.id, who=who.name)
        return NewOrganisationOut(**asdict(made), administrator=key)

    return await _write(service, work)


def _subject(service: Service, sub: str | None) -> str | None:
    """As users have it. Raises Problem 422 where there is no provider, or the name with its issuer is too long."""
    if sub is None:
        return None
    oidc = service.settings.oidc
    if oidc is None:
        detail, remedy = (
            "the service has no OpenID provider that could know a subject",
            "set `oidc`, or give a password",
        )
        raise Problem(422, "request-invalid", "The request is not valid", detail, remedy)
    known_as = oidc.subject(sub)
    if len(known_as) > LONGEST_SUBJECT:
        detail = f"the subject with its issuer has more than {LONGEST_SUBJECT} characters"
        raise Problem(422, "request-invalid", "The request is not valid", detail)
    return known_as


async def _write(service: Service, work: Callable[[Connection], T]) -> T:
    """Raises Problem 422 for what can't be, 409 where another request was faster."""
    try:
        return await asyncio.wrap_future(service.writer.submit(work))
    except TrialsightError as error:
        title = "The request is not valid"
        raise Problem(422, "request-invalid", title, error.problem, error.remedy) from error
    except IntegrityError as error:
        raise Problem(409, "taken", "Taken", "somebody else has just made one of that name") from error


def _taken(what: str, name: str) -> Problem:
    return Problem(409, "taken", "Taken", f"there is a {what} {name} already", "choose another name")
