"""Who may come in, and who is next: a bounded number of frames a line, and worker slots shared fairly by the lines."""

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from trialsight_serving.problems import Problem

SMOOTHING = 0.2  # weight of the newest frame in the running mean of service time
FIRST_GUESS_S = 0.05


class Admission:
    """Lives in the event loop alone, so it needs no lock.

    `depth` of a line counts its frames that were admitted and not yet answered. A free worker goes to the waiting
    lines in turn, so one line's burst can't starve another.
    """

    def __init__(self, workers: int, queue_limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = workers
        self._workers = workers
        self._limit = queue_limit
        self._clock = clock
        self._depth: dict[str, int] = {}
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self.service_s = FIRST_GUESS_S

    def depth(self, line: str) -> int:
        return self._depth.get(line, 0)

    def predicted_wait_s(self) -> float:
        """Until a frame that comes now would be done: all admitted frames and itself, at the recent pace."""
        ahead = sum(self._depth.values())
        return (ahead // self._workers + 1) * self.service_s

    def admit(self, line: str, deadline_s: float) -> "Ticket":
        """Take a place on the line. Raises Problem 429, with when to come again, before any work is done."""
        wait = self.predicted_wait_s()
        if self.depth(line) >= self._limit:
            backlog_s = self._limit / self._workers * self.service_s
            raise _busy("queue-full", f"line {line} has {self._limit} frames waiting", backlog_s)
        if wait > deadline_s:
            detail = f"line {line} would take {wait * 1000:.0f} ms, the deadline is {deadline_s * 1000:.0f} ms"
            raise _busy("deadline", detail, wait - deadline_s)
        self._depth[line] = self.depth(line) + 1
        return Ticket(self, line, self._clock() + deadline_s)

    async def acquire(self, line: str) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(line, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(None)  # the slot came just as the client went
            raise

    def release(self, spent_s: float | None) -> None:
        """Hand the slot to the next line in turn. `spent_s` teaches the prediction; None where nothing ran."""
        if spent_s is not None:
            self.service_s += SMOOTHING * (spent_s - self.service_s)
        while self._waiting:
            line, turns = next(iter(self._waiting.items()))
            turn = turns.popleft()
            self._waiting.move_to_end(line)
            if not turns:
                del self._waiting[line]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def leave(self, line: str) -> None:
        self._depth[line] -= 1

    def now(self) -> float:
        return self._clock()


class Ticket:
    """A frame's place on its line; `with` gives it back. `worker()` waits for the frame's turn to run."""

    def __init__(self, admission: Admission, line: str, due: float) -> None:
        self._admission, self._line, self._due = admission, line, due

    def __enter__(self) -> "Ticket":
        return self

    def __exit__(self, *_: object) -> None:
        self._admission.leave(self._line)

    @property
    def late(self) -> bool:
        return self._admission.now() > self._due

    def worker(self) -> "_Turn":
        return _Turn(self._admission, self._line)


class _Turn:
    def __init__(self, admission: Admission, line: str) -> None:
        self._admission, self._line = admission, line
        self._started = 0.0

    async def __aenter__(self) -> None:
        await self._admission.acquire(self._line)
        self._started = self._admission.now()

    async def __aexit__(self, *_: object) -> None:
        self._admission.release(self._admission.now() - self._started)


def _busy(slug: str, detail: str, wait_s: float) -> Problem:
    return Problem(
        429,
        slug,
        "The line is busy",
        detail,
        "send it again after Retry-After, with the same Idempotency-Key",
        headers={"Retry-After": str(max(1, math.ceil(wait_s)))},
        retry_after_ms=max(1, math.ceil(wait_s * 1000)),
    )
