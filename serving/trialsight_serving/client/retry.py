"""When to try again. Pauses double, with a random quarter more, and are never shorter than the service asks for."""

import random
import time
from collections.abc import Callable

import httpx

from trialsight_serving.client.problem import ServiceError, away, problem_of, retry_after_s

LONGEST_PAUSE_S = 15.0
_FIRST_PAUSE_S = 0.25
_REFUSED = frozenset({429, 503, 507})  # nothing was done: sending it again is safe for any request
_AGAIN = _REFUSED | {408, 502, 504}


class Attempts:
    """One request's tries. `repeatable`: sent twice, it does no more than once. `due`: `time.monotonic()` after which
    trying again makes no sense, None for never."""

    def __init__(self, url: str, repeatable: bool, due: float | None) -> None:
        self._url, self._repeatable, self._due = url, repeatable, due
        self._failures = 0
        self.problem: ServiceError | None = None

    def failed(self, error: httpx.TransportError) -> float:
        """The pause before the next try. Raises ServiceError where there is none."""
        return self._pause(away(self._url, error), self._repeatable, 0.0)

    def answered(self, response: httpx.Response) -> float:
        """As `failed`, for an answer that is an error."""
        again = response.status_code in (_AGAIN if self._repeatable else _REFUSED)
        return self._pause(problem_of(response), again, min(retry_after_s(response), LONGEST_PAUSE_S))

    def _pause(self, problem: ServiceError, again: bool, asked_s: float) -> float:
        own_s: float = min(LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self._failures)
        pause_s = max(asked_s, own_s) * random.uniform(1.0, 1.25)  # noqa: S311
        self._failures += 1
        self.problem = problem
        if not again or (self._due is not None and time.monotonic() + pause_s > self._due):
            raise problem
        return pause_s


def due(patience_s: float | None, deadline_ms: int | None, clock: Callable[[], float] = time.monotonic) -> float | None:
    given = [limit for limit in (patience_s, None if deadline_ms is None else deadline_ms / 1000) if limit is not None]
    return clock() + min(given) if given else None
