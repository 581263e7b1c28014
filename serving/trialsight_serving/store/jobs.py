"""Jobs: what is to be done, how far it is, and what came of it."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from trialsight_serving.store import audit
from trialsight_serving.store.ids import new_id
from trialsight_serving.store.tables import jobs


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class JobRecord:
    """`step` and `progress` (0..1, None where it can't be counted): of a running job. `results`: what each finished
    step gave, by its name, so that a job that was interrupted goes on behind them. `problem`: why it failed."""

    id: str
    organisation_id: str
    kind: str
    recipe: str
    state: JobState
    asked_by: str
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    step: str | None = None
    progress: float | None = None
    cancel_asked: bool = False
    attempts: int = 0
    results: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None


def insert_job(
    connection: Connection, organisation: str, kind: str, recipe: str, asked_by: str, at: datetime
) -> tuple[JobRecord, bool]:
    """Queued, and whether it is new: while one of the same kind and recipe is open, that one is given."""
    mine = sa.and_(jobs.c.organisation_id == organisation, jobs.c.kind == kind, jobs.c.recipe == recipe)
    found = connection.execute(sa.select(jobs).where(mine, jobs.c.state.in_(OPEN))).mappings().first()
    if found is not None:
        return _record(found), False
    job = JobRecord(new_id(), organisation, kind, recipe, JobState.QUEUED, asked_by, at)
    connection.execute(jobs.insert(), asdict(job))
    audit.record(
        connection, organisation, asked_by, "job.queued", f"job/{job.id}", None, {"kind": kind, "recipe": recipe}, at
    )
    return job, True


def job_by_id(connection: Connection, organisation: str, job_id: str) -> JobRecord | None:
    query = sa.select(jobs).where(jobs.c.organisation_id == organisation, jobs.c.id == job_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else _record(row)


def list_jobs(connection: Connection, organisation: str, recipe: str | None = None, limit: int = 50) -> list[JobRecord]:
    """Newest first."""
    query = sa.select(jobs).where(jobs.c.organisation_id == organisation)
    if recipe is not None:
        query = query.where(jobs.c.recipe == recipe)
    rows = connection.execute(query.order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)).mappings()
    return [_record(row) for row in rows]


def next_job(connection: Connection) -> JobRecord | None:
    """One that a worker left unfinished first, then the oldest that waits."""
    first = sa.case((jobs.c.state == JobState.RUNNING, 0), else_=1)
    query = sa.select(jobs).where(jobs.c.state.in_(OPEN)).order_by(first, jobs.c.created_at, jobs.c.id).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else _record(row)


def update_job(connection: Connection, job_id: str, **values: Any) -> None:
    connection.execute(jobs.update().where(jobs.c.id == job_id), values)


def end_job(connection: Connection, job: JobRecord, state: JobState, problem: str | None, at: datetime) -> None:
    update_job(connection, job.id, state=state, problem=problem, ended_at=at, step=None, progress=None)
    new = {"state": state, "version": job.results.get("train", {}).get("version"), "problem": problem}
    words = {name: value for name, value in new.items() if value is not None}
    audit.record(connection, job.organisation_id, "worker", "job.ended", f"job/{job.id}", None, words, at)


def ask_cancel(connection: Connection, job: JobRecord, who: str, at: datetime) -> None:
    """A waiting job ends at once, a running one when its worker hears of it."""
    values: dict[str, Any] = {"cancel_asked": True}
    if job.state is JobState.QUEUED:
        values |= {"state": JobState.CANCELLED, "ended_at": at}
    update_job(connection, job.id, **values)
    audit.record(connection, job.organisation_id, who, "job.cancelled", f"job/{job.id}", None, None, at)


def _record(row: RowMapping) -> JobRecord:
    return JobRecord(**dict(row) | {"state": JobState(row["state"])})
