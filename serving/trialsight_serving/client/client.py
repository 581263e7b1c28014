"""The two clients. Each method is a call of `calls`, so both have the same ones, with the same arguments."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import httpx

from trialsight_serving.client import calls
from trialsight_serving.client.calls import Call
from trialsight_serving.client.problem import away, problem_of
from trialsight_serving.client.retry import Attempts, due
from trialsight_serving.client.stream import Listening, StreamEvent, ended

P = ParamSpec("P")
T = TypeVar("T")


def _method(build: Callable[P, Call[T]]) -> "Callable[Concatenate[Client, P], T]":
    @wraps(build)
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._send(build(*args, **kwargs))

    return method


def _awaited(build: Callable[P, Call[T]]) -> "Callable[Concatenate[AsyncClient, P], Awaitable[T]]":
    @wraps(build)
    def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        return self._send(build(*args, **kwargs))

    return method


class Client:
    """Sends a request again while the service is busy, away or not ready; a frame always under the same key.

    >>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
    ...     client.post_frame("L1", Path("part.jpg").read_bytes(), "image/jpeg", part="P-1").verdict
    <Verdict.REJECT: 'reject'>

    `timeout_s`: for one try. `patience_s`: how long to keep trying, None for ever. `wait` pauses for so many seconds,
    and gives False to give up; `on_retry` is told why and for how long. Methods raise ServiceError.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        timeout_s: float = 30.0,
        patience_s: float | None = 60.0,
        wait: Callable[[float], bool] | None = None,
        on_retry: Callable[[str, float], None] | None = None,
    ) -> None:
        self._http = httpx.Client(base_url=url, headers=_headers(api_key), timeout=timeout_s)
        self._url, self._patience_s = url, patience_s
        self._wait = wait or _sleep
        self._on_retry = on_retry or _say_nothing

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def ready(self) -> bool:
        """Whether frames would get verdicts now."""
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    me = _method(calls.me)
    lines = _method(calls.lines)
    post_frame = _method(calls.post_frame)
    frame = _method(calls.frame)
    image = _method(calls.image)
    defect_map = _method(calls.defect_map)
    parts = _method(calls.parts)
    part = _method(calls.part)
    decide = _method(calls.decide)
    mask = _method(calls.mask)
    save_mask = _method(calls.save_mask)
    labels = _method(calls.labels)
    defect_classes = _method(calls.defect_classes)
    models = _method(calls.models)
    model = _method(calls.model)
    promote = _method(calls.promote)
    roll_back = _method(calls.roll_back)
    retrain = _method(calls.retrain)
    jobs = _method(calls.jobs)
    job = _method(calls.job)
    cancel_job = _method(calls.cancel_job)
    job_log = _method(calls.job_log)
    job_report = _method(calls.job_report)
    recipes = _method(calls.recipes)
    save_recipe = _method(calls.save_recipe)
    report_camera = _method(calls.report_camera)

    def stream(self, line: str | None = None, *, after: str | None = None) -> Generator[StreamEvent, None, None]:
        """Results as they are stored, of one line or of all, for as long as you listen. A connection that breaks is
        opened anew and goes on behind the last result, so none is missed; so does a later stream, where `after` is the
        id of the last event that was dealt with. `after="0"`: from the first that is stored."""
        listening = Listening(line, after)
        attempts: Attempts | None = None
        while True:
            try:
                headers, timeout = listening.headers(), listening.timeout
                with self._http.stream("GET", listening.path, headers=headers, timeout=timeout) as response:
                    if not response.is_success:
                        response.read()
                        attempts = attempts or self._attempts()
                        pause_s = attempts.answered(response)
                    else:
                        attempts = None  # patience begins anew
                        for text in response.iter_lines():
                            if (event := listening.hear(text)) is not None:
                                yield event
                        raise ended()
            except httpx.TransportError as error:
                attempts = attempts or self._attempts()
                pause_s = attempts.failed(error)
            self._pause(attempts, pause_s)

    def _attempts(self) -> Attempts:
        return Attempts(self._url, repeatable=True, due=due(self._patience_s, None))

    def _pause(self, attempts: Attempts, pause_s: float) -> None:
        assert attempts.problem is not None
        self._on_retry(str(attempts.problem), pause_s)
        if not self._wait(pause_s):
            raise attempts.problem

    def _send(self, call: Call[T]) -> T:
        ends = due(self._patience_s, call.deadline_ms)
        attempts = Attempts(self._url, call.repeatable, ends)
        while True:
            try:
                response = self._http.request(**_request(call, ends))
            except httpx.TransportError as error:
                if not call.tries:
                    raise away(self._url, error) from error
                pause_s = attempts.failed(error)
            else:
                if response.is_success:
                    return call.read(response)
                if not call.tries:
                    raise problem_of(response)
                pause_s = attempts.answered(response)
            self._pause(attempts, pause_s)


class AsyncClient:
    """`Client`, for asyncio: the same methods with the same arguments, awaited. `wait` is awaited too."""

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        timeout_s: float = 30.0,
        patience_s: float | None = 60.0,
        wait: Callable[[float], Awaitable[bool]] | None = None,
        on_retry: Callable[[str, float], None] | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers=_headers(api_key), timeout=timeout_s)
        self._url, self._patience_s = url, patience_s
        self._wait = wait or _sleep_async
        self._on_retry = on_retry or _say_nothing

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def ready(self) -> bool:
        """Whether frames would get verdicts now."""
        try:
            return (await self._http.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    me = _awaited(calls.me)
    lines = _awaited(calls.lines)
    post_frame = _awaited(calls.post_frame)
    frame = _awaited(calls.frame)
    image = _awaited(calls.image)
    defect_map = _awaited(calls.defect_map)
    parts = _awaited(calls.parts)
    part = _awaited(calls.part)
    decide = _awaited(calls.decide)
    mask = _awaited(calls.mask)
    save_mask = _awaited(calls.save_mask)
    labels = _awaited(calls.labels)
    defect_classes = _awaited(calls.defect_classes)
    models = _awaited(calls.models)
    model = _awaited(calls.model)
    promote = _awaited(calls.promote)
    roll_back = _awaited(calls.roll_back)
    retrain = _awaited(calls.retrain)
    jobs = _awaited(calls.jobs)
    job = _awaited(calls.job)
    cancel_job = _awaited(calls.cancel_job)
    job_log = _awaited(calls.job_log)
    job_report = _awaited(calls.job_report)
    recipes = _awaited(calls.recipes)
    save_recipe = _awaited(calls.save_recipe)
    report_camera = _awaited(calls.report_camera)

    async def stream(self, line: str | None = None, *, after: str | None = None) -> AsyncGenerator[StreamEvent, None]:
        """As `Client.stream`."""
        listening = Listening(line, after)
        attempts: Attempts | None = None
        while True:
            try:
                headers, timeout = listening.headers(), listening.timeout
                async with self._http.stream("GET", listening.path, headers=headers, timeout=timeout) as response:
                    if not response.is_success:
                        await response.aread()
                        attempts = attempts or self._attempts()
                        pause_s = attempts.answered(response)
                    else:
                        attempts = None
                        async for text in response.aiter_lines():
                            if (event := listening.hear(text)) is not None:
                                yield event
                        raise ended()
            except httpx.TransportError as error:
                attempts = attempts or self._attempts()
                pause_s = attempts.failed(error)
            await self._pause(attempts, pause_s)

    def _attempts(self) -> Attempts:
        return Attempts(self._url, repeatable=True, due=due(self._patience_s, None))

    async def _pause(self, attempts: Attempts, pause_s: float) -> None:
        assert attempts.problem is not None
        self._on_retry(str(attempts.problem), pause_s)
        if not await self._wait(pause_s):
            raise attempts.problem

    async def _send(self, call: Call[T]) -> T:
        ends = due(self._patience_s, call.deadline_ms)
        attempts = Attempts(self._url, call.repeatable, ends)
        while True:
            try:
                response = await self._http.request(**_request(call, ends))
            except httpx.TransportError as error:
                if not call.tries:
                    raise away(self._url, error) from error
                pause_s = attempts.failed(error)
            else:
                if response.is_success:
                    return call.read(response)
                if not call.tries:
                    raise problem_of(response)
                pause_s = attempts.answered(response)
            await self._pause(attempts, pause_s)


def _headers(api_key: str | None) -> dict[str, str]:
    return {} if api_key is None else {"Authorization": f"Bearer {api_key}"}


def _request(call: Call[Any], ends: float | None) -> dict[str, Any]:
    """httpx's arguments for one try: a frame's deadline is what is left of it."""
    headers = dict(call.headers)
    if call.deadline_ms is not None and ends is not None:
        headers["X-Deadline-Ms"] = str(max(1, min(call.deadline_ms, round((ends - time.monotonic()) * 1000))))
    given: dict[str, Any] = {"method": call.method, "url": call.path, "params": call.params, "headers": headers}
    if call.json is not None:
        given["json"] = call.json
    if call.content is not None:
        given["content"] = call.content
    if call.timeout_s is not None:
        given["timeout"] = call.timeout_s
    return given


def _say_nothing(_why: str, _seconds: float) -> None:
    """Nobody asked to be told."""


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True


async def _sleep_async(seconds: float) -> bool:
    await asyncio.sleep(seconds)
    return True
