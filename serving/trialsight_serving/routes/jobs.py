"""`/v1/models/{recipe}/retrain` and `/v1/jobs`: ask for work that takes minutes, follow it, cancel it."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse, HTMLResponse

from trialsight_serving.deps import EngineerDep, ReviewerDep, ServiceDep
from trialsight_serving.jobs.retrain import KIND
from trialsight_serving.openapi.content import text
from trialsight_serving.openapi.errors import problems
from trialsight_serving.problems import Problem, not_found
from trialsight_serving.routes.models import RecipeName
from trialsight_serving.schemas.jobs import JobOut
from trialsight_serving.service import Service
from trialsight_serving.store.jobs import OPEN, JobRecord, ask_cancel, insert_job, job_by_id, list_jobs

router = APIRouter(prefix="/v1", tags=["jobs"])
JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
# A report is made by training from the set's pictures; it runs no script and loads nothing.
_REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"


_REPORT = text("The comparison", "text/html", "<!doctype html>…")
_LOG = text("The log", "text/plain", "train: 20 good frames\n")


@router.post("/models/{recipe}/retrain", response_model=JobOut, status_code=202)
def retrain(recipe: RecipeName, service: ServiceDep, who: EngineerDep, response: Response) -> JobOut:
    """Learn from what people decided, in the worker; the new version becomes the champion's challenger. While a
    retraining of the recipe is open, that one is given."""
    if service.tenants.of(who.organisation).live(recipe) is None:
        raise not_found("recipe", recipe)
    now = datetime.now(UTC)
    work = service.writer.submit(
        lambda connection: insert_job(connection, who.organisation, KIND, recipe, who.name, now)
    )
    job, _ = work.result()
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobOut.model_validate(job)


@router.get("/jobs", response_model=list[JobOut])
def get_jobs(
    service: ServiceDep,
    who: ReviewerDep,
    recipe: Annotated[str | None, Query(max_length=63)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[JobOut]:
    """The newest first."""
    with service.database.read() as connection:
        found = list_jobs(connection, who.organisation, recipe, limit)
    return [JobOut.model_validate(job) for job in found]


@router.get("/jobs/{job_id}", response_model=JobOut)
def get_job(job_id: JobId, service: ServiceDep, who: ReviewerDep) -> JobOut:
    return JobOut.model_validate(_find(service, who.organisation, job_id))


@router.post("/jobs/{job_id}/cancel", response_model=JobOut, responses=problems({409: "The job has ended"}))
def cancel(job_id: JobId, service: ServiceDep, who: EngineerDep) -> JobOut:
    """A waiting job ends at once, a running one within a second or two; nothing of it reaches the line."""
    job = _find(service, who.organisation, job_id)
    if job.state not in OPEN:
        detail = f"job {job_id} is {job.state.value} already"
        raise Problem(409, "job-ended", "The job has ended", detail, "ask for a new one")
    now = datetime.now(UTC)
    service.writer.submit(lambda connection: ask_cancel(connection, job, who.name, now)).result()
    return JobOut.model_validate(_find(service, who.organisation, job_id))


@router.get("/jobs/{job_id}/log", response_class=Response, responses=_LOG)
def get_log(job_id: JobId, service: ServiceDep, who: EngineerDep) -> Response:
    """What the job's commands said, as text."""
    return _file(service, who.organisation, job_id, "log.txt", "text/plain; charset=utf-8")


@router.get("/jobs/{job_id}/report", response_class=HTMLResponse, responses=_REPORT)
def get_report(job_id: JobId, service: ServiceDep, who: ReviewerDep) -> Response:
    """The comparison of the new version with the champion: one page with its pictures in it."""
    found = _file(service, who.organisation, job_id, "comparison.html", "text/html; charset=utf-8")
    found.headers["Content-Security-Policy"] = _REPORT_POLICY
    return found


def _file(service: Service, organisation: str, job_id: str, name: str, media_type: str) -> Response:
    _find(service, organisation, job_id)
    path = service.settings.paths.jobs / job_id / name
    if not path.is_file():
        raise Problem(404, "not-yet", "Not there", f"job {job_id} has no {name} yet")
    return FileResponse(path, media_type=media_type)


def _find(service: Service, organisation: str, job_id: str) -> JobRecord:
    with service.database.read() as connection:
        found = job_by_id(connection, organisation, job_id)
    if found is None:
        raise not_found("job", job_id)
    return found
