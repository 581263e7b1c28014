"""The agent's word of itself: clock, buffer, last frame; sent in spare time, and given up where nobody answers."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from trialsight_serving.camera.spool import Spool
from trialsight_serving.client import Client, ServiceError

EVERY_S = 10.0
_FIRST_S = 0.5  # the second report soon follows the first, which had no offset to tell yet
_LAST_TRIES = 3  # of the last report, which stands until the agent is started again


@dataclass(frozen=True)
class Clock:
    """By how much the camera's clock is ahead of the service's, to within half of the round trip (RFC 5905, 8)."""

    offset_ms: float
    round_trip_ms: float


@dataclass
class Reporter:
    """`report` never raises for a service that is away: frames alone are worth waiting for."""

    client: Client
    spool: Spool
    line: str
    view: str
    source: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _clock: Clock | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="report", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """With a last report: what waits, and that nothing more comes for now."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def report(self) -> Clock | None:
        """The clock as this exchange showed it, None where nobody answered."""
        backlog, last = self.spool.backlog(), self.spool.last_at()
        body = {
            "offset_ms": None if self._clock is None else self._clock.offset_ms,
            "round_trip_ms": None if self._clock is None else self._clock.round_trip_ms,
            "waiting_frames": backlog.frames,
            "waiting_bytes": backlog.bytes,
            "lost": backlog.lost,
            "last_frame_at": None if last is None else last.isoformat(),
            "source": self.source[:200],
        }
        started = time.monotonic()
        sent = self.now()  # within the round trip, so that a pause between the two is part of its doubt
        try:
            theirs = self.client.report_camera(self.line, self.view, body)
        except ServiceError:
            return None
        round_trip_s = time.monotonic() - started
        halfway = sent.timestamp() + round_trip_s / 2
        self._clock = Clock(round(1000 * (halfway - theirs.timestamp()), 1), round(1000 * round_trip_s, 1))
        return self._clock

    def _run(self) -> None:
        while True:
            first = self._clock is None
            answered = self.report() is not None
            if self._stop.wait(_FIRST_S if first and answered else EVERY_S):
                break
        for _ in range(_LAST_TRIES):
            if self.report() is not None:
                break
