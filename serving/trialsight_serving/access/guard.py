"""The door, as plain ASGI middleware: whose request this is, and whether it comes from where it may."""

import asyncio
import ipaddress
import time
from urllib.parse import urlencode, urlsplit

import structlog
from sqlalchemy.engine import Connection
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trialsight_serving.access.headers import Reply
from trialsight_serving.access.keys import anyone_known, note_use, who_has_key
from trialsight_serving.access.known import KnownKeys
from trialsight_serving.access.principal import LOCAL, Principal
from trialsight_serving.access.sessions import who_has_session
from trialsight_serving.problems import Answer, Problem, fault
from trialsight_serving.service import Service
from trialsight_serving.settings import Settings

log = structlog.get_logger(__name__)
COOKIE = "trialsight_session"
_FORM_BYTES = 64 * 1024
_PROBES = ("/livez", "/readyz")
_OPEN_PATHS = ("/login", "/login/oidc", "/login/oidc/back", "/favicon.ico")
_PICTURES = ("/frames", "/infer", "/mask")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_NOTE_USE_S = 60.0  # a key's last use is noted no more often


class Guard:
    """A service that asks nobody for a key is for this machine alone, so its other doors are shut: a foreign Host name
    (DNS rebinding) and a forwarded caller are refused.

    A changing request that a browser sends from another site is refused everywhere. Faults that nobody foresaw end
    here, so that their answers carry the same headers.
    """

    def __init__(self, app: ASGIApp, settings: Settings, answer: Answer) -> None:
        self._app, self._settings, self._answer = app, settings, answer
        self._closed = not (settings.open or settings.on_loopback)
        self._noted: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, reply = Request(scope), Reply(send, scope["scheme"] == "https")
        try:
            scope.setdefault("state", {})["principal"] = await self._who(request)
            _check_encoding(request)
            await self._app(scope, _bounded(request, receive, self._settings.body_timeout_s), reply)
        except Problem as problem:
            await self._refusal(request, problem)(scope, receive, reply)
        except ClientDisconnect:
            log.info("client went away", method=request.method, path=request.url.path)
        except Exception as error:
            if reply.started:
                raise  # the server can only cut the connection now
            await self._answer(request, fault(request, error))(scope, receive, reply)

    async def _who(self, request: Request) -> Principal | None:
        if _is_foreign(request):
            origin = request.headers.get("origin")
            raise Problem(
                403, "cross-site", "Cross-site request", f"a page of another site ({origin}) sent this request"
            )
        path = request.url.path
        if path in _PROBES:
            return None  # they must answer whatever state the database is in
        if await self._is_open(request.app.state.service):
            _check_local(request)
            return LOCAL
        if path in _OPEN_PATHS or path.startswith("/static/"):
            return None
        key = _key_of(request)
        known: KnownKeys = request.app.state.service.known_keys
        found = known.find(key) if key else None
        found = found or await asyncio.to_thread(self._look_up, request, key)
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

    async def _is_open(self, service: Service) -> bool:
        """By `open`, or on loopback as long as the home knows nobody; the first key or user ends that for good."""
        if not self._closed and not self._settings.open:
            self._closed = await asyncio.to_thread(_knows_anyone, service)
        return not self._closed

    def _look_up(self, request: Request, key: str) -> Principal | None:
        service: Service = request.app.state.service
        with service.database.read() as connection:
            if key:
                return self._look_up_key(service, connection, key)
            token = request.cookies.get(COOKIE)
            who = None if token is None else who_has_session(connection, token)
        if who is not None and request.method not in _SAFE_METHODS and not _is_own_page(request):
            raise Problem(
                403,
                "cross-site",
                "Cross-site request",
                "a login cookie came with a changing request that does not say which page sent it",
                "send it from the viewer's own pages, or with a key instead of the cookie",
            )
        return who

    def _look_up_key(self, service: Service, connection: Connection, key: str) -> Principal | None:
        asked = service.known_keys.now()
        found = who_has_key(connection, key)
        if found is None:
            return None
        key_id, who = found
        service.known_keys.remember(key, who, asked)
        self._note_use(service, key_id)
        return who

    def _note_use(self, service: Service, key_id: str) -> None:
        now = time.monotonic()
        if now - self._noted.get(key_id, -_NOTE_USE_S) >= _NOTE_USE_S:
            self._noted[key_id] = now
            service.writer.submit(lambda connection: note_use(connection, key_id))

    def _refusal(self, request: Request, problem: Problem) -> Response:
        wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if problem.status == 401 and wants_page:
            return RedirectResponse(f"/login?{urlencode({'next': request.url.path})}", 303)
        return self._answer(request, problem)


def _knows_anyone(service: Service) -> bool:
    with service.database.read() as connection:
        return anyone_known(connection)


def _key_of(request: Request) -> str:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    return request.headers.get("x-api-key") or (bearer.strip() if scheme.lower() == "bearer" else "")


def _check_local(request: Request) -> None:
    host = request.headers.get("host", "")
    if _host_name(host) not in _LOCAL_NAMES:
        raise Problem(
            421,
            "host-not-served",
            "This host is not served here",
            f"the service is open to this machine alone and was asked as {host!r}",
            "use http://127.0.0.1, or make keys: trialsight bootstrap",
        )
    if request.client is not None and not _is_loopback(request.client.host):
        raise Problem(
            403,
            "not-local",
            "Only this machine may ask",
            f"the service asks for no key, and a proxy forwards {request.client.host}",
            "make keys: trialsight bootstrap; and leave --open out",
        )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_foreign(request: Request) -> bool:
    """A browser names the page's site in Sec-Fetch-Site and Origin; other programs send neither."""
    if request.method in _SAFE_METHODS:
        return False
    origin = request.headers.get("origin")
    return request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none") or (
        origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    )


def _is_own_page(request: Request) -> bool:
    """Whether a browser says that a page of ours sent this (what it says otherwise was refused before)."""
    return request.headers.get("sec-fetch-site") == "same-origin" or "origin" in request.headers


def _host_name(host: str) -> str:
    return host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0].lower()


def _check_encoding(request: Request) -> None:
    """Nothing is ever unpacked, so nothing can be a bomb."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Problem(
            415,
            "content-encoding",
            "Encoded bodies are not taken",
            f"the body is said to be {encoding}",
            "send it as it is; images are compressed already",
            headers={"Accept-Encoding": "identity", "Connection": "close"},
        )


def _bounded(request: Request, receive: Receive, timeout_s: float) -> Receive:
    """`receive` that ends a body of more than 64 KiB, or one that does not come; pictures have limits of their own, in
    `routes.body`."""
    if request.url.path.endswith(_PICTURES):
        return receive
    seen, whole, due = 0, False, asyncio.get_running_loop().time() + timeout_s

    async def receiving() -> Message:
        nonlocal seen, whole
        try:
            async with asyncio.timeout_at(None if whole else due):
                message = await receive()
        except TimeoutError:
            detail = f"the body did not arrive within {timeout_s:g} s"
            raise HTTPException(408, detail, {"Connection": "close"}) from None
        whole = not message.get("more_body", False)
        seen += len(message.get("body", b""))
        if seen > _FORM_BYTES:
            raise HTTPException(413, f"at most {_FORM_BYTES} bytes are taken here", {"Connection": "close"})
        return message

    return receiving
