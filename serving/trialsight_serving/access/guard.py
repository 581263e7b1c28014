"""The door, as plain ASGI middleware: whose request this is, whether it comes from where it may, and safe headers."""

import asyncio
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trialsight_serving.access.keys import who_has_key, who_has_session
from trialsight_serving.access.principal import LOCAL, Principal
from trialsight_serving.problems import Answer, Problem, fault
from trialsight_serving.service import Service

COOKIE = "trialsight_session"
_FORM_BYTES = 64 * 1024
_OPEN_PATHS = ("/livez", "/readyz", "/login", "/favicon.ico")
_PICTURES = ("/frames", "/infer", "/mask")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """On loopback no key is asked for, so other doors must be shut: a foreign Host name (DNS rebinding) is refused.

    A changing request that a browser sends from another site is refused everywhere. Faults that nobody foresaw end
    here, so that their answers carry the same headers.
    """

    def __init__(self, app: ASGIApp, open_access: bool, answer: Answer) -> None:
        self._app, self._open, self._answer = app, open_access, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, reply = Request(scope), _Reply(send)
        try:
            self._check_host(request)
            _check_site(request)
            scope.setdefault("state", {})["principal"] = await self._who(request)
            await self._app(scope, _bounded(request, receive), reply)
        except Problem as problem:
            await self._refusal(request, problem)(scope, receive, reply)
        except Exception as error:
            if reply.started:
                raise  # the server can only cut the connection now
            await self._answer(request, fault(request, error))(scope, receive, reply)

    def _check_host(self, request: Request) -> None:
        if self._open and _host_name(request.headers.get("host", "")) not in _LOCAL_NAMES:
            raise Problem(
                421,
                "host-not-served",
                "This host is not served here",
                f"the service is open to this machine alone and was asked as {request.headers.get('host', '')!r}",
                "use http://127.0.0.1, or bind another --host and log in with a key",
            )

    async def _who(self, request: Request) -> Principal | None:
        if self._open:
            return LOCAL
        path = request.url.path
        if path in _OPEN_PATHS or path.startswith("/static/"):
            return None
        found = await asyncio.to_thread(_look_up, request.app.state.service, request.headers, request.cookies)
        if found is None:
            raise Problem(
                401,
                "key-needed",
                "A key is needed",
                "no key that is known and still good came with the request",
                "send 'Authorization: Bearer KEY' or 'X-API-Key: KEY'; `trialsight bootstrap` makes the first ones",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return found

    def _refusal(self, request: Request, problem: Problem) -> Response:
        wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if problem.status == 401 and wants_page:
            return RedirectResponse(f"/login?{urlencode({'next': request.url.path})}", 303)
        return self._answer(request, problem)


def _look_up(service: Service, headers: Headers, cookies: dict[str, str]) -> Principal | None:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    key = headers.get("x-api-key") or (bearer.strip() if scheme.lower() == "bearer" else "")
    with service.database.read() as connection:
        if key:
            return who_has_key(connection, key)
        token = cookies.get(COOKIE)
        return None if token is None else who_has_session(connection, token)


def _check_site(request: Request) -> None:
    """A browser names the page's site in Sec-Fetch-Site and Origin; other programs send neither."""
    if request.method in _SAFE_METHODS:
        return
    origin = request.headers.get("origin")
    foreign = request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none") or (
        origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    )
    if foreign:
        raise Problem(403, "cross-site", "Cross-site request", f"a page of another site ({origin}) sent this request")


def _host_name(host: str) -> str:
    return host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0].lower()


def _bounded(request: Request, receive: Receive) -> Receive:
    """`receive` that ends a body of more than 64 KiB; pictures have limits of their own, in `routes.body`."""
    if request.url.path.endswith(_PICTURES):
        return receive
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > _FORM_BYTES:
            raise HTTPException(413, f"at most {_FORM_BYTES} bytes are taken here", {"Connection": "close"})
        return message

    return receiving


class _Reply:
    """`send`, with the safe headers, that knows whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)
