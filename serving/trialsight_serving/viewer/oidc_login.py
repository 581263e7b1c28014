"""Logging in through an OpenID provider: `/login/oidc`, and `/login/oidc/back` where the provider sends people back."""

import asyncio
from collections.abc import Callable

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from trialsight_serving.access.login import LoginDoor, admit
from trialsight_serving.access.oidc import BACK, START, ForgedError, Provider, ProviderAwayError, forget
from trialsight_serving.access.oidc_users import RefusedError, admit_by_claims
from trialsight_serving.access.principal import LOCAL
from trialsight_serving.deps import ServiceDep
from trialsight_serving.problems import Problem
from trialsight_serving.viewer.inside import inside
from trialsight_serving.viewer.render import Pages

log = structlog.get_logger(__name__)
Refuse = Callable[[Request, str, int], Response]
Enter = Callable[[Request, Response, str], None]


def add_oidc(router: APIRouter, pages: Pages, provider: Provider, refuse: Refuse, enter: Enter) -> None:
    """`refuse`: the login page with what was wrong; `enter`: gives the browser its session's token."""

    @router.get(START)
    async def start(request: Request, next: str = "/") -> Response:
        if request.state.principal is LOCAL:
            return RedirectResponse("/", 303)
        try:
            return await provider.start(request, inside(next))
        except ProviderAwayError as error:
            log.error("login by provider failed", problem=str(error))
            return await asyncio.to_thread(refuse, request, "away", 503)

    @router.get(BACK)
    async def back(request: Request, service: ServiceDep) -> Response:
        door = LoginDoor(service.database, service.settings.session_hours)
        address = request.client.host if request.client else ""
        try:
            await asyncio.to_thread(door.check_failures, None, address)
            claims, target = await provider.finish(request)
            oidc, hours = provider.settings, service.settings.session_hours
            token = await asyncio.wrap_future(
                service.writer.submit(
                    lambda connection: admit(connection, admit_by_claims(connection, oidc, claims), hours)
                )
            )
        except Problem as problem:
            response = await asyncio.to_thread(refuse, request, "too_many", 429)
            response.headers.update(problem.headers)
        except ProviderAwayError as error:
            log.error("login by provider failed", problem=str(error))
            response = await asyncio.to_thread(refuse, request, "away", 503)
        except (ForgedError, RefusedError) as error:
            log.warning("login by provider refused", problem=str(error), address=address)
            await asyncio.to_thread(door.note_failure, None, address)
            response = await asyncio.to_thread(refuse, request, "refused", 403)
        else:
            # A page, not a redirect: a strict cookie isn't sent along a way that began on the provider's site.
            response = pages.render(request, "entered.html", target=inside(target))
            enter(request, response, token)
        forget(response)
        return response
