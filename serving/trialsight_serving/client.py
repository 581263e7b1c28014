"""A small typed client of HTTP version 1, for cameras and scripts in Python."""

import random
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from trialsight.errors import TrialsightError
from trialsight_serving.schemas import FrameOut

_AGAIN = frozenset({408, 429, 502, 503, 504, 507})
_LONGEST_WAIT_S = 15.0
_REPORT_S = 5.0


class ServiceError(TrialsightError):
    """The service answered with a problem, or did not answer. `status` is None where it did not."""

    def __init__(self, problem: str, remedy: str = "", status: int | None = None, kind: str = "") -> None:
        super().__init__(problem, remedy)
        self.status, self.kind = status, kind


class Client:
    """Sends a frame again, under the same Idempotency-Key, while the service is busy, away or not ready.

    >>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
    ...     client.post_frame("L1", Path("part.jpg").read_bytes(), "image/jpeg", part="P-1").verdict
    <Verdict.REJECT: 'reject'>

    `patience_s`: how long to keep trying, None for ever. `wait` pauses for so many seconds, and gives False to give
    up; `on_retry` is told why and for how long.
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
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)
        self._url, self._patience_s = url, patience_s
        self._wait = wait or _sleep
        self._on_retry = on_retry or (lambda _why, _seconds: None)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def ready(self) -> bool:
        """Whether frames would get verdicts now."""
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def post_frame(
        self,
        line: str,
        data: bytes,
        content_type: str,
        *,
        part: str | None = None,
        view: str | None = None,
        trial: str | None = None,
        captured_at: datetime | None = None,
        deadline_ms: int | None = None,
        key: str | None = None,
    ) -> FrameOut:
        """Raises ServiceError: refused for good (a broken image, say), or patience ended."""
        at = None if captured_at is None else captured_at.isoformat()
        query = {"part": part, "view": view, "trial": trial, "captured_at": at}
        headers = {"Content-Type": content_type, "Idempotency-Key": key or uuid.uuid4().hex}
        if deadline_ms is not None:
            headers["X-Deadline-Ms"] = str(deadline_ms)
        params = {name: value for name, value in query.items() if value is not None}
        request = self._http.build_request(
            "POST", f"/v1/lines/{line}/frames", content=data, params=params, headers=headers
        )
        return FrameOut.model_validate(self._send(request).json())

    def report_camera(self, line: str, view: str, report: dict[str, Any]) -> datetime:
        """How a camera's agent is (`PUT /v1/lines/{line}/cameras/{view}`); the service's time. Tried once.

        Raises ServiceError."""
        url = f"/v1/lines/{quote(line, safe='')}/cameras/{quote(view, safe='')}"
        try:
            response = self._http.put(url, json=report, timeout=_REPORT_S)
        except httpx.TransportError as error:
            raise self._away(error) from error
        if not response.is_success:
            raise _problem(response)
        return datetime.fromisoformat(response.json()["now"])

    def _send(self, request: httpx.Request) -> httpx.Response:
        started = time.monotonic()
        attempt = 0
        while True:
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                problem = self._away(error)
                asked_s = 0.0
            else:
                if response.is_success:
                    return response
                problem = _problem(response)
                if response.status_code not in _AGAIN:
                    raise problem
                asked_s = _retry_after_s(response)
            pause_s = max(asked_s, min(_LONGEST_WAIT_S, 0.25 * 2**attempt)) * random.uniform(1.0, 1.25)  # noqa: S311
            attempt += 1
            if self._patience_s is not None and time.monotonic() - started + pause_s > self._patience_s:
                raise problem
            self._on_retry(str(problem), pause_s)
            if not self._wait(pause_s):
                raise problem

    def _away(self, error: httpx.TransportError) -> ServiceError:
        return ServiceError(f"{self._url} does not answer: {error or type(error).__name__}", "is it running?")


def _problem(response: httpx.Response) -> ServiceError:
    try:
        body: dict[str, Any] = response.json()
        detail, remedy, kind = str(body["detail"]), str(body.get("remedy", "")), str(body.get("type", ""))
    except (ValueError, KeyError, TypeError):
        detail, remedy, kind = response.reason_phrase, "is this a Trialsight service?", ""
    return ServiceError(f"{response.status_code}: {detail}", remedy, response.status_code, kind)


def _retry_after_s(response: httpx.Response) -> float:
    """Milliseconds from the body where they are given: the header knows only whole seconds."""
    try:
        return min(float(response.json()["retry_after_ms"]) / 1000, _LONGEST_WAIT_S)
    except (ValueError, KeyError, TypeError):
        header = response.headers.get("retry-after", "")
        return min(float(header), _LONGEST_WAIT_S) if header.isdigit() else 0.0


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True
