"""The worker: takes one job after the other, and goes on with what an earlier one left."""

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from trialsight.errors import TrialsightError
from trialsight_serving.jobs.process import CancelledError, run_command
from trialsight_serving.jobs.retrain import Retraining
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import Database
from trialsight_serving.store.images import ImageStore
from trialsight_serving.store.jobs import JobRecord, JobState, end_job, job_by_id, next_job, update_job

log = structlog.get_logger(__name__)
IDLE_S = 1.0
TELL_S = 1.0
# A job that takes its worker down with it must not do so for ever.
MOST_ATTEMPTS = 5


class Worker:
    """`tell` hears what runs: job, step, progress. One worker a home: the caller holds the lock."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        images: ImageStore,
        tell: Callable[[JobRecord, str, float | None], None] = lambda *_: None,
    ) -> None:
        self._settings, self._database, self._images, self._tell = settings, database, images, tell
        self._told_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            if not self.run_next(stop):
                stop.wait(IDLE_S)

    def run_next(self, stop: threading.Event) -> bool:
        """Do one job; False where none waits. A job that `stop` interrupts is left for the next worker."""
        with self._database.read() as connection:
            job = next_job(connection)
        if job is None:
            return False
        now = datetime.now(UTC)
        with self._database.write() as connection:
            values = {"state": JobState.RUNNING, "started_at": job.started_at or now, "attempts": job.attempts + 1}
            update_job(connection, job.id, **values)
        log.info("job started", job=job.id, kind=job.kind, recipe=job.recipe, attempt=job.attempts + 1)
        try:
            if job.attempts >= MOST_ATTEMPTS:
                raise TrialsightError(f"given up after {job.attempts} attempts that ended with their worker")
            self._retrain(job, stop)
        except CancelledError:
            if not stop.is_set():
                self._end(job, JobState.CANCELLED, None)
        except TrialsightError as error:
            self._end(job, JobState.FAILED, str(error))
        except Exception as error:  # a fault of ours must not take the worker, and the jobs behind it, away
            log.exception("job failed", job=job.id)
            self._end(job, JobState.FAILED, f"{type(error).__name__}: {error}")
        else:
            self._end(job, JobState.DONE, None)
        return True

    def _retrain(self, job: JobRecord, stop: threading.Event) -> None:
        folder = self.folder(job.id)

        def run(words: list[str]) -> dict[str, Any]:
            return run_command(
                words,
                folder / "log.txt",
                max(1, (os.cpu_count() or 2) // 2),
                lambda step, share: self._progress(job, step, share),
                lambda: stop.is_set() or self._cancel_asked(job),
                nice=self._settings.worker_nice,
            )

        def done(step: str, result: dict[str, Any]) -> None:
            job.results[step] = result
            with self._database.write() as connection:
                update_job(connection, job.id, results=job.results)
            self._progress(job, step, 1.0)
            if stop.is_set() or self._cancel_asked(job):
                raise CancelledError

        Retraining(job, self._settings.paths, self._database, self._images, folder, run, done)()

    def folder(self, job_id: str) -> Path:
        return self._settings.paths.jobs / job_id

    def _progress(self, job: JobRecord, step: str, share: float | None) -> None:
        self._tell(job, step, share)
        if time.monotonic() - self._told_at > TELL_S:
            self._told_at = time.monotonic()
            with self._database.write() as connection:
                update_job(connection, job.id, step=step[:64], progress=share)

    def _cancel_asked(self, job: JobRecord) -> bool:
        with self._database.read() as connection:
            now = job_by_id(connection, job.organisation_id, job.id)
        return now is None or now.cancel_asked

    def _end(self, job: JobRecord, state: JobState, problem: str | None) -> None:
        with self._database.write() as connection:
            end_job(connection, job, state, problem, datetime.now(UTC))
        log.info("job ended", job=job.id, state=state.value, problem=problem)
