"""Every error as RFC 9457 problem+json: what is wrong, with what, and in `remedy` what to do about it."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount

from trialsight.errors import FrameError, FrameFault

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
_STORE_AWAY = (OperationalError, InterfaceError, DisconnectionError, PoolTimeoutError)
_READING = ("GET", "HEAD")
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

_FAULTS: Mapping[FrameFault, tuple[int, str]] = {
    FrameFault.EMPTY: (400, "The frame is empty"),
    FrameFault.NOT_AN_IMAGE: (415, "Not an image"),
    FrameFault.TOO_LARGE: (413, "The frame is too large"),
    FrameFault.UNDECODABLE: (422, "The frame can't be decoded"),
    FrameFault.WRONG_GEOMETRY: (422, "The frame has the wrong size"),
}


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """Raise it anywhere in a request. `slug` makes the type URI; `title` is the same for every problem of that type."""

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        detail: str,
        remedy: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.slug, self.title, self.detail, self.remedy = status, slug, title, detail, remedy
        self.headers = dict(headers or {})
        self.more = more

    def body(self, instance: str) -> dict[str, Any]:
        body = {
            "type": f"urn:trialsight:problem:{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "remedy": self.remedy,
            **self.more,
        }
        if instance.startswith("/v2"):
            body["error"] = self.detail  # the Open Inference Protocol's word for it
        return body

    def response(self, instance: str) -> JSONResponse:
        return JSONResponse(self.body(instance), self.status, self.headers, MEDIA_TYPE)


def frame_problem(error: FrameError) -> Problem:
    status, title = _FAULTS[error.fault]
    return Problem(status, f"frame-{error.fault}", title, error.problem, error.remedy)


def not_found(what: str, name: str) -> Problem:
    return Problem(404, f"{what}-not-found", f"No such {what}", f"there is no {what} {name!r}")


Answer = Callable[[Request, Problem], Response]


def answer_with(page: Callable[[Request, Problem], Response | None]) -> Answer:
    """A problem as JSON, or as a `page` where that gives one."""
    return lambda request, problem: page(request, problem) or problem.response(request.url.path)


def fault(request: Request, error: Exception) -> Problem:
    """A database that is away is for a while; what nobody foresaw is logged whole, and told in one line."""
    if isinstance(error, _STORE_AWAY):
        log.error("store away", method=request.method, path=request.url.path, problem=str(error).splitlines()[0])
        return Problem(
            503,
            "store-unavailable",
            "The store does not answer",
            "the database can't be reached; nothing was stored for this request",
            "send it again after Retry-After; if it lasts, look after the database",
            headers={"Retry-After": "5"},
        )
    log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    detail = "the service hit a fault of its own; nothing was stored for this request"
    return Problem(500, "internal", "Internal fault", detail, "the service's log has the details")


def install(app: FastAPI, answer: Answer) -> None:
    """Whatever FastAPI and the routes refuse becomes a problem; `access.guard` does the same for faults."""

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return answer(request, error)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        title = HTTPStatus(error.status_code).phrase
        slug = title.lower().replace(" ", "-")
        detail = f"{request.method} {request.url.path}: {error.detail}"
        remedy = "see /openapi.json for what the service offers" if error.status_code in (404, 405) else ""
        headers = {"Allow": _methods_of(request)} if error.status_code == 405 else error.headers
        return answer(request, Problem(error.status_code, slug, title, detail, remedy, headers))

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [{"where": ".".join(map(str, e["loc"])), "problem": e["msg"]} for e in error.errors()]
        detail = "; ".join(f"{e['where']}: {e['problem']}" for e in errors)
        title, remedy = "The request is not valid", "see /openapi.json"
        return answer(request, Problem(422, "request-invalid", title, detail, remedy, errors=errors))

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_validation)


def _methods_of(request: Request) -> str:
    """Of all routes at this address; Starlette names the first one's alone."""

    def served(method: str) -> bool:
        root = request.scope.get("app_root_path", request.scope.get("root_path", ""))  # a mount moves the other
        scope = {**request.scope, "method": method, "root_path": root}
        found = [route for route in request.app.routes if route.matches(scope)[0] is Match.FULL]
        return any(not isinstance(route, Mount) or method in _READING for route in found)  # files are mounted

    return ", ".join(filter(served, _METHODS))
