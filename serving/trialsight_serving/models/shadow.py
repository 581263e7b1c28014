"""A challenger in the champion's shadow: it sees live frames in spare time, and what it says is only written down.

A worker of its own takes frames that were already answered, one at a time, and starts only while an inspection
thread has nothing to do. Frames that come while its short queue is full are dropped and counted. It runs a little
nicer than the rest, and not at the lowest priority: it shares the interpreter's lock, and a thread that is never
scheduled would hold everybody up with it.
"""

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from trialsight.errors import FrameError
from trialsight.verdict import Verdict
from trialsight_serving.metrics import Metrics
from trialsight_serving.models.shelf import LiveModel
from trialsight_serving.models.tenants import Tenants
from trialsight_serving.store.evidence.shadows import ShadowRecord, insert_shadow
from trialsight_serving.store.frames import FrameRecord
from trialsight_serving.store.writer import Writer

log = structlog.get_logger(__name__)
QUEUE = 8  # frames of up to 32 MiB wait here
_NICER = 5
_LOOK_S = 0.005

_Item = tuple[FrameRecord, bytes]


class Shadow:
    def __init__(self, tenants: Tenants, writer: Writer, metrics: Metrics, has_spare: Callable[[], bool]) -> None:
        self._tenants, self._writer, self._metrics, self._has_spare = tenants, writer, metrics, has_spare
        self._queue: queue.Queue[_Item] = queue.Queue(QUEUE)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """What still waits is dropped: it is evidence, not a verdict."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def offer(self, record: FrameRecord, data: bytes) -> None:
        """A frame that was inspected, stored and is being answered. Never waits."""
        if (
            self._tenants.of(record.organisation_id).challenger(record.recipe) is None
            or "decode" not in record.timings_ms
        ):
            return
        try:
            self._queue.put_nowait((record, data))
        except queue.Full:
            self._count(record.recipe, "dropped")

    def _run(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # where a single thread can't be made nicer
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICER)
        while not self._stop.is_set():
            try:
                record, data = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            while not self._has_spare() and not self._stop.wait(_LOOK_S):
                pass
            challenger = self._tenants.of(record.organisation_id).challenger(record.recipe)
            if challenger is None or self._stop.is_set():
                continue
            try:
                self._look(challenger, record, data)
            except Exception as error:  # a challenger's fault is the challenger's alone
                self._count(record.recipe, "failed")
                problem = str(error) or type(error).__name__
                log.warning("challenger failed", recipe=record.recipe, version=challenger.version, problem=problem)

    def _look(self, challenger: LiveModel, record: FrameRecord, data: bytes) -> None:
        verdict, reason, score, inspect_ms = Verdict.NO_VERDICT, None, None, 0.0
        try:
            seen = challenger.inspector(data, challenger.thresholds)
        except FrameError as error:
            reason = str(error)
        else:
            verdict, score = seen.verdict, seen.score
            reason = None if seen.reason is None else str(seen.reason)
            inspect_ms = round(sum(seen.timings_ms.values()), 3)
        found = ShadowRecord(
            organisation_id=record.organisation_id,
            frame_id=record.id,
            recipe=record.recipe,
            champion=record.model_version,
            challenger=challenger.version,
            champion_verdict=record.verdict,
            verdict=verdict.value,
            reason=reason,
            champion_score=record.score,
            score=score,
            inspect_ms=inspect_ms,
            created_at=datetime.now(UTC),
        )
        self._writer.submit(lambda connection: insert_shadow(connection, found)).result()
        self._count(record.recipe, "agree" if found.agrees else "disagree")

    def _count(self, recipe: str, outcome: str) -> None:
        self._metrics.shadow.labels(recipe, outcome).inc()
