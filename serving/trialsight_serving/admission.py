"""Who may come in, and who is next: a bounded number of frames a line, and places in the works shared fairly by lines.

A frame keeps its place until it is stored: it sleeps and wakes some five times for the disk, and where more models run
than there are cores, each time it would wait for one of them. So that no core idles meanwhile, there are some `more`
places than `workers`. A slow disk takes no throughput: a place is free anyway once its frame has had it for
1 + more / workers times as long as its model ran, as then the cores have work throughout.

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

    `depth` of a line counts its frames that were admitted and not yet answered. A free place goes to the waiting
    lines in turn, so one line's burst can't starve another.
    """

    def __init__(
        self, workers: int, queue_limit: int, more: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._places = self._free = workers + more
        self._more = more
        self.patience = more / workers  # of a place for a frame whose model has run, in terms of how long that took
        self._limit = queue_limit
        self._clock = clock
        self._depth: dict[str, int] = {}
        self._running: set[_Turn] = set()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self.inspecting = Pace(FIRST_GUESS_S)
        self.around = Pace(0.0)  # the body's arrival and the store

    @property
    def has_spare(self) -> bool:
        """Whether fewer frames are in the works than workers. May be asked from any thread."""
        return self._free > self._more

    def depth(self, line: str) -> int:
        return self._depth.get(line, 0)

    def predicted_wait_s(self, line: str) -> float:
        """Until a frame that comes now would be answered. Lines take turns, so of another line's frames no more go
        before it than this line has, and one."""
        mine = self.depth(line)
        ahead = mine + sum(min(depth, mine + 1) for other, depth in self._depth.items() if other != line)
        return ahead // self._places * self.inspecting.mean_s + self.inspecting.cautious_s + self.around.cautious_s

    def admit(self, line: str, deadline_s: float) -> "Ticket":
        """Take a place on the line. Raises Problem 429, with when to come again, before any work is done."""
        wait = self.predicted_wait_s(line)
        if self.depth(line) >= self._limit:
            backlog_s = self._limit / self._places * self.inspecting.mean_s
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
        for running in self._running:  # only now: a model that has run from here on finds that somebody waits
            if running.has_run:
                self.end_in_time(running)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(None)  # the place came just as the client went
            raise

    def begin(self, turn: "_Turn") -> None:
        self._running.add(turn)

    def end(self, turn: "_Turn") -> None:
        """Once, however often it is told: where the turn's block ends, and by whom its place is waited for."""
        if turn in self._running:
            self._running.remove(turn)
            turn.stop()
            self.release(turn.spent_s if turn.ran else None)

    def end_in_time(self, turn: "_Turn") -> None:
        """Of a turn whose model has run: the place is wanted, but not at once."""
        asyncio.get_running_loop().call_later(max(0.0, turn.due - self._clock()), self.end, turn)

    @property
    def is_awaited(self) -> bool:
        """Whether a frame waits for a place. May be asked from any thread."""
        return bool(self._waiting)

    def release(self, spent_s: float | None) -> None:
        """Hand the place to the next line in turn. `spent_s` teaches the prediction; None where nothing ran."""
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
    """A frame's place on its line; `with` gives it back. `worker()` waits for the frame's turn."""

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
    """A frame in the works. `ran`: set it where the frame was inspected, so that the prediction learns from it."""

    def __init__(self, admission: Admission, line: str) -> None:
        self._admission, self._line = admission, line
        self._came = self._started = self._ended = 0.0
        self.due = 0.0  # when others may have its place, once the model has run
        self.ran = self.has_run = False

    async def __aenter__(self) -> "_Turn":
        self._came = self._admission.now()
        await self._admission.acquire(self._line)
        self._started = self._admission.now()
        self._loop = asyncio.get_running_loop()
        self._admission.begin(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._admission.end(self)

    def model_has_run(self) -> None:
        """From the worker's thread: what follows waits for the disk. The event loop is woken only where another frame
        waits; else it looks when the next comes."""
        now = self._admission.now()
        self.due = now + self._admission.patience * (now - self._started)
        self.has_run = True
        if self._admission.is_awaited:
            self._loop.call_soon_threadsafe(self._admission.end_in_time, self)

    def stop(self) -> None:
        self._ended = self._admission.now()

    @property
    def stay_s(self) -> float:
        """Queue and work."""
        return self._ended - self._came

    @property
    def spent_s(self) -> float:
        return self._ended - self._started


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
