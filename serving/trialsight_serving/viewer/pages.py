"""The viewer's pages; those of the review are in `review`."""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from trialsight_serving.access.guard import COOKIE as SESSION
from trialsight_serving.access.keys import close_session, open_session, who_has_key
from trialsight_serving.deps import ServiceDep
from trialsight_serving.service import Service
from trialsight_serving.viewer.render import Pages
from trialsight_serving.viewer.review import add_review


def make_router(pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    add_review(router, pages)

    @router.get("/login", name="login")
    def login_page(request: Request, service: ServiceDep, next: str = "/") -> Response:
        if service.settings.open_access:
            return RedirectResponse("/", 303)
        return pages.render(request, "login.html", next=_inside(next), wrong=False)

    @router.post("/login")
    async def login(request: Request, service: ServiceDep) -> Response:
        async with request.form(max_files=0, max_fields=4) as form:
            key, target = str(form.get("key", "")).strip(), _inside(str(form.get("next", "/")))
        token = await _open_session(service, key)
        if token is None:
            return pages.render(request, "login.html", next=target, wrong=True, status=401)
        response = RedirectResponse(target, 303)
        seconds = round(service.settings.session_hours * 3600)
        secure = request.url.scheme == "https"
        response.set_cookie(SESSION, token, max_age=seconds, httponly=True, samesite="strict", secure=secure)
        return response

    @router.post("/logout")
    async def logout(request: Request, service: ServiceDep) -> Response:
        token = request.cookies.get(SESSION)
        if token is not None:
            await asyncio.wrap_future(service.writer.submit(lambda connection: close_session(connection, token)))
        response = RedirectResponse("/login", 303)
        response.delete_cookie(SESSION)
        return response

    return router


def _inside(target: str) -> str:
    """Only a path of this site: a login must not send anyone elsewhere."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"


async def _open_session(service: Service, key: str) -> str | None:
    def look() -> bool:
        with service.database.read() as connection:
            return who_has_key(connection, key) is not None

    if not key or not await asyncio.to_thread(look):
        return None
    hours = service.settings.session_hours
    return await asyncio.wrap_future(service.writer.submit(lambda connection: open_session(connection, key, hours)))
