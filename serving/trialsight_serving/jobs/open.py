"""A worker with all that it needs, and the lock that makes it the only one of its home."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trialsight.errors import TrialsightError
from trialsight_serving.access.organisations import need_organisation
from trialsight_serving.jobs.retrain import KIND
from trialsight_serving.jobs.worker import Worker
from trialsight_serving.settings import Settings
from trialsight_serving.store.audit import operator
from trialsight_serving.store.database import Database, open_database
from trialsight_serving.store.images import open_images
from trialsight_serving.store.jobs import OPEN, JobRecord, insert_job, job_by_id
from trialsight_serving.store.tables import ORGANISATION
from trialsight_serving.store.upkeep.leader import Leader

_LOOK_S = 0.5


@dataclass(frozen=True)
class Opened:
    worker: Worker
    database: Database
    lock: Leader

    def wait_for_lock(self, stop: threading.Event) -> None:
        while not self.lock.lead() and not stop.wait(_LOOK_S):
            pass

    def ask(self, recipe: str, organisation: str = ORGANISATION) -> JobRecord:
        """Queued, or the one of this recipe that is open already."""
        with self.database.write() as connection:
            need_organisation(connection, organisation)
            return insert_job(connection, organisation, KIND, recipe, operator(), datetime.now(UTC))[0]

    def finish(self, job: JobRecord) -> JobRecord:
        """Do what waits until this job has ended, or let the worker that has the lock do it."""
        stop = threading.Event()
        while (now := self._look(job)).state in OPEN:
            if self.lock.lead():
                self.worker.run_next(stop)
            else:
                stop.wait(_LOOK_S)
        return now

    def _look(self, job: JobRecord) -> JobRecord:
        with self.database.read() as connection:
            found = job_by_id(connection, job.organisation_id, job.id)
        if found is None:
            raise TrialsightError(f"job {job.id} is gone from the database")
        return found


@contextmanager
def open_worker(
    home: Path | None, tell: Callable[[JobRecord, str, float | None], None] = lambda *_: None
) -> Iterator[Opened]:
    settings = Settings(home=home) if home else Settings()
    database = open_database(settings)
    lock = Leader(database, settings.paths.root / "worker.lock", key=0x7472_6977)
    try:
        yield Opened(Worker(settings, database, open_images(settings), tell), database, lock)
    finally:
        lock.close()
        database.close()
