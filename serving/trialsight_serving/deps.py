"""What routes ask for, by name."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from trialsight_serving.access.keys import Principal, Role
from trialsight_serving.problems import Problem
from trialsight_serving.service import Service


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _allow(*roles: Role) -> Callable[[Request], Principal]:
    def check(request: Request) -> Principal:
        principal: Principal = request.state.principal
        if principal.role not in roles:
            allowed = ", ".join(roles)
            raise Problem(
                403,
                "role",
                "Not allowed",
                f"{principal.name} is {principal.role}; this needs {allowed}",
                "use a key with that role",
            )
        return principal

    return check


ServiceDep = Annotated[Service, Depends(_service)]
AnyoneDep = Annotated[Principal, Depends(_allow(*Role))]
CameraDep = Annotated[Principal, Depends(_allow(Role.CAMERA, Role.ENGINEER, Role.ADMINISTRATOR))]
ReviewerDep = Annotated[Principal, Depends(_allow(Role.REVIEWER, Role.ENGINEER, Role.ADMINISTRATOR))]
EngineerDep = Annotated[Principal, Depends(_allow(Role.ENGINEER, Role.ADMINISTRATOR))]
