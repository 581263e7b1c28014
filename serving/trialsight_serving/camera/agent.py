"""Posts frames at a pace, and tells what each of them got."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from trialsight.source import CameraFrame
from trialsight_serving.client import Client, ServiceError


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


def run_camera(
    frames: Iterator[CameraFrame],
    client: Client,
    line: str,
    interval_s: float,
    stop: threading.Event,
    tell: Callable[[Shot], None],
) -> int:
    """Until the frames end or `stop` is set. Gives how many were answered. A frame that is refused is told and passed
    over; a service that is away is waited for, by the client."""
    answered = 0
    due = time.monotonic()
    for frame in frames:
        if stop.wait(max(0.0, due - time.monotonic())):
            break
        # After a wait for the service the pace goes on from now: a burst would only fill the line's queue.
        due = max(due + interval_s, time.monotonic())
        started = time.perf_counter()
        try:
            result = client.post_frame(line, frame.data, frame.content_type, part=frame.part)
        except ServiceError as error:
            if stop.is_set():
                break
            tell(Shot(frame.part, frame.truth, None, None, _ms(started), None, str(error)))
            if error.status is None:
                raise  # not even an answer within the client's patience
            continue
        answered += 1
        tell(Shot(frame.part, frame.truth, result.verdict.value, result.score, _ms(started), result.id))
    return answered


def _ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
