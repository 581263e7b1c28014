"""Logging in and out, and what people do with their own account: `/login`, `/logout`, `/account`."""

import asyncio
from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from trialsight.errors import TrialsightError
from trialsight_serving.access.guard import COOKIE
from trialsight_serving.access.login import LoginDoor
from trialsight_serving.access.oidc import Provider
from trialsight_serving.access.organisations import list_organisations
from trialsight_serving.access.principal import LOCAL, Principal, Role
from trialsight_serving.access.sessions import close_all_like, close_session
from trialsight_serving.access.users import change_user, find_user, has_password
from trialsight_serving.deps import AnyoneDep, ServiceDep
from trialsight_serving.problems import Problem, not_found
from trialsight_serving.service import Service
from trialsight_serving.store.tables import ORGANISATION
from trialsight_serving.store.usage import usage_of
from trialsight_serving.viewer.inside import inside
from trialsight_serving.viewer.oidc_login import add_oidc
from trialsight_serving.viewer.render import Pages


def add_login(router: APIRouter, pages: Pages, provider: Provider | None) -> None:
    label = None if provider is None else provider.settings.label
    if provider is not None:
        add_oidc(router, pages, provider, partial(_refuse, pages), _enter)
    one_at_a_time = asyncio.Lock()  # passwords are checked so; see LoginDoor

    @router.get("/login", name="login")
    def login_page(request: Request, service: ServiceDep, next: str = "/") -> Response:
        if request.state.principal is LOCAL:
            return RedirectResponse("/", 303)
        return _login_page(pages, request, service, inside(next), label)

    @router.post("/login")
    async def login(request: Request, service: ServiceDep) -> Response:
        form = await _form(request)
        target, door = inside(form.get("next", "/")), LoginDoor(service.database, service.settings.session_hours)
        address = request.client.host if request.client else ""
        try:
            async with one_at_a_time:
                if key := form.get("key", "").strip():
                    token = await asyncio.to_thread(door.enter_with_key, key, address)
                else:
                    organisation = form.get("organisation", "").strip() or ORGANISATION
                    name, password = form.get("name", "").strip(), form.get("password", "")
                    token = await asyncio.to_thread(door.enter, organisation, name, password, address)
        except Problem as problem:
            page = await asyncio.to_thread(_login_page, pages, request, service, target, label, "too_many", 429)
            page.headers.update(problem.headers)
            return page
        if token is None:
            return await asyncio.to_thread(_login_page, pages, request, service, target, label, "wrong", 401)
        response = RedirectResponse(target, 303)
        set_session(request, response, service, token)
        return response

    @router.post("/logout")
    async def logout(request: Request, service: ServiceDep, everywhere: bool = False) -> Response:
        token = request.cookies.get(COOKIE)
        if token is not None:
            close = close_all_like if everywhere else close_session
            await asyncio.wrap_future(service.writer.submit(lambda connection: close(connection, token)))
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE)
        return response

    @router.get("/account")
    def account_page(request: Request, service: ServiceDep, who: AnyoneDep) -> Response:  # noqa: ARG001
        return _account_page(pages, request, service)

    @router.post("/account")
    async def change_password(request: Request, service: ServiceDep, who: AnyoneDep) -> Response:
        form = await _form(request)
        door = LoginDoor(service.database, service.settings.session_hours)
        address, old, new = request.client.host if request.client else "", form.get("old", ""), form.get("new", "")
        if not await asyncio.to_thread(_has_password, service, who):
            detail = f"{who.name} comes in without one"
            raise Problem(409, "no-password", "There is no password to change", detail, "log in with a password")
        async with one_at_a_time:
            right = await asyncio.to_thread(door.enter, who.organisation, who.name, old, address)
        if right is None:
            return await asyncio.to_thread(_account_page, pages, request, service, wrong=True, status=401)
        try:
            token = await asyncio.to_thread(_change_password, service, door, who.organisation, who.name, new, address)
        except TrialsightError as error:
            return await asyncio.to_thread(_account_page, pages, request, service, problem=str(error), status=422)
        response = await asyncio.to_thread(_account_page, pages, request, service, changed=True)
        set_session(request, response, service, token)
        return response


def _has_password(service: Service, who: Principal) -> bool:
    with service.database.read() as connection:
        return who is not LOCAL and has_password(connection, who.organisation, who.name)


def set_session(request: Request, response: Response, service: Service, token: str) -> None:
    seconds = round(service.settings.session_hours * 3600)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, token, max_age=seconds, httponly=True, samesite="strict", secure=secure)


def _change_password(service: Service, door: LoginDoor, organisation: str, name: str, new: str, address: str) -> str:
    """Every session ends with the old password; gives the token of a new one."""
    with service.database.write() as connection:
        user = find_user(connection, organisation, name)
        if user is None:
            raise not_found("user", name)
        change_user(connection, organisation, user.id, password=new, who=name)
    token = door.enter(organisation, name, new, address)
    assert token is not None
    return token


def _login_page(
    pages: Pages,
    request: Request,
    service: Service,
    target: str,
    provider: str | None,
    wrong: str | None = None,
    status: int = 200,
) -> Response:
    with service.database.read() as connection:
        many = len(list_organisations(connection)) > 1
    return pages.render(request, "login.html", status, next=target, wrong=wrong, many=many, provider=provider)


def _refuse(pages: Pages, request: Request, wrong: str, status: int) -> Response:
    service: Service = request.app.state.service
    assert service.settings.oidc is not None
    return _login_page(pages, request, service, "/", service.settings.oidc.label, wrong, status)


def _enter(request: Request, response: Response, token: str) -> None:
    set_session(request, response, request.app.state.service, token)


def _account_page(
    pages: Pages,
    request: Request,
    service: Service,
    *,
    wrong: bool = False,
    problem: str | None = None,
    changed: bool = False,
    status: int = 200,
) -> Response:
    who = request.state.principal
    with service.database.read() as connection:
        usage = None if who.role is Role.CAMERA else usage_of(connection, who.organisation)
    return pages.render(
        request,
        "account.html",
        status,
        account=who,
        has_password=_has_password(service, who),
        usage=usage,
        wrong=wrong,
        problem=problem,
        changed=changed,
    )


async def _form(request: Request) -> dict[str, str]:
    async with request.form(max_files=0, max_fields=8) as form:
        return {name: value.replace("\0", "") for name, value in form.items() if isinstance(value, str)}
