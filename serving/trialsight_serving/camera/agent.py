"""The edge process: frames into the spool at the camera's pace, and from it to the service, in order, each once."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from trialsight_serving.camera.sources import Source
from trialsight_serving.camera.spool import Spool
from trialsight_serving.client import Client, ServiceError

_IDLE_S = 0.05


@dataclass(frozen=True)
class Shot:
    """One frame's outcome. `verdict` is None where the service refused the frame; `problem` then says why."""

    part: str
    truth: str | None
    verdict: str | None
    score: float | None
    latency_ms: float
    id: str | None
    problem: str | None = None


@dataclass
class Agent:
    """`tell` hears each outcome, `warn` what an operator should know. `run` ends when the source has ended and every
    frame has its answer, or soon after `stop` is set; what is not answered then stays in the spool."""

    source: Source
    spool: Spool
    client: Client
    line: str
    interval_s: float
    stop: threading.Event
    tell: Callable[[Shot], None]
    warn: Callable[[str], None]
    view: str | None = None
    trial: str | None = None
    _ended: threading.Event = field(default_factory=threading.Event)
    _fault: list[BaseException] = field(default_factory=list)

    def run(self) -> int:
        """How many frames were answered. Raises what the source raised, once all that it gave is sent; ServiceError
        where the client's patience ended."""
        capture = threading.Thread(target=self._capture, name="capture", daemon=True)
        capture.start()
        try:
            answered = self._send_all()
        finally:
            if not self._ended.is_set():
                self.stop.set()
            capture.join(timeout=5.0)
        if self._fault:
            raise self._fault[0]
        return answered

    @property
    def finished(self) -> bool:
        """Whether the source came to its end and all that it gave was answered."""
        return self._ended.is_set() and not self._fault and not self.stop.is_set()

    def _capture(self) -> None:
        try:
            due = time.monotonic()
            for frame in self.source.frames(self.spool.took, self.stop):
                if self.stop.wait(max(0.0, due - time.monotonic())):
                    break
                due = max(due + self.interval_s, time.monotonic())
                while not self.source.live and not self.spool.has_room(len(frame.data)):
                    if self.stop.wait(_IDLE_S):
                        return
                if lost := self.spool.put(frame):
                    self.warn(f"the buffer is full: {lost} of the oldest frames made room and are lost")
        except BaseException as error:  # whatever it is, the sender must learn that no more will come
            self._fault.append(error)
        finally:
            self._ended.set()

    def _send_all(self) -> int:
        answered = 0
        while not self.stop.is_set():
            ended = self._ended.is_set()  # asked first: a frame may come in between
            waiting = self.spool.first()
            if waiting is None:
                if ended:
                    break
                self.stop.wait(_IDLE_S)
                continue
            frame, started = waiting.frame, time.perf_counter()
            try:
                result = self.client.post_frame(
                    self.line,
                    frame.data,
                    frame.content_type,
                    part=frame.part,
                    view=self.view,
                    trial=self.trial,
                    captured_at=frame.captured_at,
                    key=waiting.key,
                )
            except ServiceError as error:
                if self.stop.is_set() or error.status is None:
                    if not self.stop.is_set():
                        raise  # not even an answer within the client's patience; the frame stays
                    break
                self.tell(Shot(frame.part, frame.truth, None, None, _ms(started), None, str(error)))
            else:
                answered += 1
                verdict = result.verdict.value
                self.tell(Shot(frame.part, frame.truth, verdict, result.score, _ms(started), result.id))
            self.spool.done(waiting.seq)
        return answered


def _ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
