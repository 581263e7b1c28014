"""What routes ask for, by name. Every route names one of the `…Dep` principals; a test walks all of them.

They are coroutines although they wait for nothing: FastAPI would send plain functions through its thread pool.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from trialsight_serving.access.principal import Principal, Role
from trialsight_serving.problems import Problem, not_found
from trialsight_serving.service import Service
from trialsight_serving.store.tables import ORGANISATION


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _allow(*roles: Role) -> Callable[[Request], Awaitable[Principal]]:
    async def check(request: Request) -> Principal:
        principal: Principal = request.state.principal
        if principal.role not in roles:
            raise _refused(principal, ", ".join(roles))
        if (line := request.path_params.get("line")) is not None:
            check_line(principal, line)
        return principal

    return check


async def _operator(request: Request) -> Principal:
    principal: Principal = request.state.principal
    if not principal.operates:
        raise _refused(principal, "an administrator of the organisation that runs the service")
    return principal


async def _graphs(request: Request) -> Principal:
    """Who may ask a model itself: a camera that is bound to lines gets its verdicts there."""
    principal = await _allow(Role.CAMERA, Role.ENGINEER, Role.ADMINISTRATOR)(request)
    if principal.lines is not None:
        raise _refused(principal, "a key that is not bound to lines")
    return principal


async def _at_home(request: Request) -> Principal:
    principal = await _allow(Role.REVIEWER, Role.ENGINEER, Role.ADMINISTRATOR)(request)
    if principal.organisation != ORGANISATION:
        raise _refused(principal, "the organisation that runs the service")
    return principal


def check_line(who: Principal, line: str) -> None:
    """Raises Problem 404 for a line that `who` has nothing to do with: it is not told that there is one.

    Done by itself for routes with `{line}` in their path.
    """
    if not who.may_use(line):
        raise not_found("line", line)


def _refused(who: Principal, needed: str) -> Problem:
    detail = f"{who.name} is {who.role}; this needs {needed}"
    return Problem(403, "role", "Not allowed", detail, "use a key or an account with that role")


ServiceDep = Annotated[Service, Depends(_service)]
AnyoneDep = Annotated[Principal, Depends(_allow(*Role))]  # cameras too: use `check_line` where a line is shown
CameraDep = Annotated[Principal, Depends(_allow(Role.CAMERA, Role.ENGINEER, Role.ADMINISTRATOR))]
ReviewerDep = Annotated[Principal, Depends(_allow(Role.REVIEWER, Role.ENGINEER, Role.ADMINISTRATOR))]
EngineerDep = Annotated[Principal, Depends(_allow(Role.ENGINEER, Role.ADMINISTRATOR))]
AdministratorDep = Annotated[Principal, Depends(_allow(Role.ADMINISTRATOR))]
GraphDep = Annotated[Principal, Depends(_graphs)]
HomeDep = Annotated[Principal, Depends(_at_home)]  # may see what concerns all organisations at once
OperatorDep = Annotated[Principal, Depends(_operator)]  # may change it
