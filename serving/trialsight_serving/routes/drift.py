"""`/v1/lines/{line}/drift`: whether a line still shows what it showed when its model went live; its alarms."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from sqlalchemy.engine import Connection

from trialsight_serving.access.principal import Principal
from trialsight_serving.deps import EngineerDep, ReviewerDep, ServiceDep
from trialsight_serving.drift.state import alarm_out, drift_of
from trialsight_serving.problems import Problem, not_found
from trialsight_serving.routes.frames import LineName
from trialsight_serving.schemas.drift import AcknowledgeIn, AlarmOut, DriftOut, ReferenceIn
from trialsight_serving.schemas.inspection import ProblemOut
from trialsight_serving.service import Service
from trialsight_serving.store import audit
from trialsight_serving.store.drift import Watched, acknowledge, begin_reference, list_references, open_alarms
from trialsight_serving.store.frames import newest_seq

router = APIRouter(prefix="/v1", tags=["drift"])
AlarmId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": {"application/problem+json": {"schema": ProblemOut.model_json_schema()}}}
    for code, text in {404: "No such line or alarm", 409: "The line has not been looked at"}.items()
}


@router.get("/drift", response_model=list[AlarmOut])
def get_open(service: ServiceDep, who: ReviewerDep) -> list[AlarmOut]:
    """The alarms that are open now, on all lines."""
    with service.database.read() as connection:
        return [alarm_out(one) for one in open_alarms(connection, who.organisation) if who.may_use(one.line)]


@router.get("/lines/{line}/drift", response_model=DriftOut, responses={404: _PROBLEMS[404]})
def get_drift(line: LineName, service: ServiceDep, who: ReviewerDep) -> DriftOut:
    """What each camera's newest frames are held against, what was found, and the alarms, the newest first."""
    _check(service, who, line)
    with service.database.read() as connection:
        return drift_of(connection, who.organisation, line, service.settings.drift)


@router.post("/lines/{line}/drift/alarms/{alarm_id}/acknowledge", response_model=AlarmOut, responses=_PROBLEMS)
async def post_acknowledge(
    line: LineName, alarm_id: AlarmId, said: AcknowledgeIn, service: ServiceDep, who: ReviewerDep
) -> AlarmOut:
    """Somebody has seen it and looks after it. It ends when its cause does. Who was first stays."""
    now = datetime.now(UTC)
    work = service.writer.submit(
        lambda connection: acknowledge(connection, who.organisation, line, alarm_id, who.name, said.note, now)
    )
    if (found := await asyncio.wrap_future(work)) is None:
        raise not_found("alarm", alarm_id)
    return alarm_out(found)


@router.post("/lines/{line}/drift/reference", response_model=DriftOut, status_code=201, responses=_PROBLEMS)
def post_reference(line: LineName, wanted: ReferenceIn, service: ServiceDep, who: EngineerDep) -> DriftOut:
    """What the view shows from now on is usual: the next frames make a new reference, and its open alarm ends."""
    _check(service, who, line)
    with service.database.read() as connection:
        found = [one.of for one in list_references(connection, who.organisation, line) if one.of.view == wanted.view]
    if not found:
        detail = f"nothing was seen of line {line}, view {wanted.view}, that could be left behind"
        raise Problem(409, "no-reference", "The line has no reference yet", detail, "its first frames will make one")
    service.writer.submit(lambda connection: _begin(connection, found[0], who, wanted.reason)).result()
    return get_drift(line, service, who)


def _begin(connection: Connection, of: Watched, who: Principal, reason: str) -> None:
    now = datetime.now(UTC)
    begin_reference(connection, of, newest_seq(connection) + 1, who.name, now)
    new = {"view": of.view, "reason": reason}
    audit.record(connection, of.organisation, who.name, "drift.reference", f"line/{of.line}", None, new, now)


def _check(service: Service, who: Principal, line: str) -> None:
    models = service.tenants.of(who.organisation)
    if line not in models.lines():
        models.refresh_lines()
        if line not in models.lines():
            raise not_found("line", line)
