"""Who may come in, and who is next: a bounded number of frames a line, and worker slots shared fairly by the lines.

What a frame will take is guessed as TCP guesses a round trip (Jacobson 1988, RFC 6298): mean plus four deviations.
"""

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from trialsight_serving.problems import Problem
from trialsight_serving.store.tables import ORGANISATION

FIRST_GUESS_S = 0.05
_GAIN, _DEVIATION_GAIN, _DEVIATIONS = 1 / 8, 1 / 4, 4


class Pace:
    """Running mean and mean deviation of some duration, in seconds."""

    def __init__(self, mean_s: float) -> None:
        self.mean_s, self._deviation_s, self._best_s = mean_s, 0.0, math.inf

    def learn(self, spent_s: float) -> None:
        self._best_s = min(self._best_s, spent_s)
        self._deviation_s += _DEVIATION_GAIN * (abs(spent_s - self.mean_s) - self._deviation_s)
        self.mean_s += _GAIN * (spent_s - self.mean_s)

    def doubt(self) -> None:
        """Towards the best that was seen: a guess by which nobody comes in would never be put right."""
        self._deviation_s -= _DEVIATION_GAIN * self._deviation_s
        self.mean_s += _DEVIATION_GAIN * (min(self._best_s, self.mean_s) - self.mean_s)

    @property
    def cautious_s(self) -> float:
        return self.mean_s + _DEVIATIONS * self._deviation_s


def lane(organisation: str, line: str) -> str:
    """A line's name in queues and metrics, where organisations must not mix."""
    return line if organisation == ORGANISATION else f"{organisation}/{line}"


class Admission:
    """Lives in the event loop, so it needs no lock; what may be called from any thread says so.

    `depth` of a line counts its frames that were admitted and not yet answered. A free worker goes to the waiting
    lines in turn, so one line's burst can't starve another.
    """

    def __init__(self, workers: int, queue_limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = workers
        self._workers = workers
        self._limit = queue_limit
        self._clock = clock
        self._depth: dict[str, int] = {}
        self._running: set[_Turn] = set()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self.inspecting = Pace(FIRST_GUESS_S)
        self.around = Pace(0.0)  # the body's arrival and the store

    @property
    def has_spare(self) -> bool:
        """Whether a worker has nothing to do. May be asked from any thread."""
        return self._free > 0

    def depth(self, line: str) -> int:
        return self._depth.get(line, 0)

    def predicted_wait_s(self, line: str) -> float:
        """Until a frame that comes now would be answered. Lines take turns, so of another line's frames no more go
        before it than this line has, and one."""
        mine = self.depth(line)
        ahead = mine + sum(min(depth, mine + 1) for other, depth in self._depth.items() if other != line)
        return ahead // self._workers * self.inspecting.mean_s + self.inspecting.cautious_s + self.around.cautious_s

    def admit(self, line: str, deadline_s: float) -> "Ticket":
        """Take a place on the line. Raises Problem 429, with when to come again, before any work is done."""
        wait = self.predicted_wait_s(line)
        if self.depth(line) >= self._limit:
            backlog_s = self._limit / self._workers * self.inspecting.mean_s
            raise _busy("queue-full", f"line {line} has {self._limit} frames waiting", backlog_s)
        if wait > deadline_s:
            if not self._depth:
                self.inspecting.doubt()
                self.around.doubt()
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
        self.collect()  # only now: a model that has run from here on finds that somebody waits
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(None)  # the slot came just as the client went
            raise

    def begin(self, turn: "_Turn") -> None:
        self._running.add(turn)

    def end(self, turn: "_Turn") -> None:
        """Once, however often it is told: by who waits for a worker, and where the turn's block ends."""
        if turn in self._running:
            self._running.remove(turn)
            self.release(turn.spent_s if turn.ran else None)

    def collect(self) -> None:
        """Take the slots back of turns whose model has run."""
        for turn in [turn for turn in self._running if turn.has_run]:
            self.end(turn)

    @property
    def is_awaited(self) -> bool:
        """Whether a frame waits for a worker. May be asked from any thread."""
        return bool(self._waiting)

    def release(self, spent_s: float | None) -> None:
        """Hand the slot to the next line in turn. `spent_s` teaches the prediction; None where nothing ran."""
        if spent_s is not None:
            self.inspecting.learn(spent_s)
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
        if not self._depth[line]:
            del self._depth[line]

    def now(self) -> float:
        return self._clock()


class Ticket:
    """A frame's place on its line; `with` gives it back. `worker()` waits for the frame's turn to run."""

    def __init__(self, admission: Admission, line: str, due: float) -> None:
        self._admission, self._line, self._due = admission, line, due
        self._came = admission.now()
        self._turn: _Turn | None = None

    def __enter__(self) -> "Ticket":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._admission.leave(self._line)
        if kind is None and self._turn is not None and self._turn.ran:
            whole_s = self._admission.now() - self._came
            self._admission.around.learn(max(0.0, whole_s - self._turn.stay_s))

    @property
    def late(self) -> bool:
        return self._admission.now() > self._due

    def worker(self) -> "_Turn":
        self._turn = _Turn(self._admission, self._line)
        return self._turn


class _Turn:
    """A frame with a worker. `ran`: set it where the frame was inspected, so that the prediction learns from it."""

    def __init__(self, admission: Admission, line: str) -> None:
        self._admission, self._line = admission, line
        self._came = self._started = self._ended = 0.0
        self.ran = self.has_run = False

    async def __aenter__(self) -> "_Turn":
        self._came = self._admission.now()
        await self._admission.acquire(self._line)
        self._started = self._admission.now()
        self._loop = asyncio.get_running_loop()
        self._admission.begin(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop()
        self._admission.end(self)

    def model_has_run(self) -> None:
        """From the worker's thread: another frame may run, while this one is stored. The event loop is woken only where
        one waits; else it looks when the next comes."""
        self._stop()
        if self._admission.is_awaited:
            self._loop.call_soon_threadsafe(self._admission.collect)

    @property
    def stay_s(self) -> float:
        """Queue and work."""
        return self._ended - self._came

    @property
    def spent_s(self) -> float:
        return self._ended - self._started

    def _stop(self) -> None:
        if not self.has_run:
            self._ended = self._admission.now()
            self.has_run = True


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
