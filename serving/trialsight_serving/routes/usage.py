"""`/v1/usage` and `/v1/organisations/{organisation}/quota`: what organisations have used, and may use."""

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy.engine import Connection

from trialsight.errors import TrialsightError
from trialsight.home import ORGANISATION_ID
from trialsight_serving.access.meter import next_day, next_month
from trialsight_serving.deps import OperatorDep, ReviewerDep, ServiceDep
from trialsight_serving.openapi.errors import problems
from trialsight_serving.problems import not_found
from trialsight_serving.schemas.usage import DayOut, QuotaIn, UsageOut
from trialsight_serving.service import Service
from trialsight_serving.store.usage import Quota, all_usage, set_quota, usage_by_day

router = APIRouter(prefix="/v1", tags=["access"])
OrganisationId = Annotated[str, Path(pattern=f"^{ORGANISATION_ID}$", examples=["acme"])]


@router.get("/usage", response_model=UsageOut, responses=problems({404: "No such organisation, or not yours"}))
def get_usage(
    service: ServiceDep,
    who: ReviewerDep,
    organisation: Annotated[str | None, Query(description="Another's: for administrators of the service")] = None,
    days: Annotated[int, Query(ge=1, le=3660)] = 31,
) -> UsageOut:
    """Frames and bytes of the caller's organisation, and its quota."""
    wanted = organisation or who.organisation
    if wanted != who.organisation and not who.operates:
        raise not_found("organisation", wanted)
    return _usage(service, wanted, days)


@router.put("/organisations/{organisation}/quota", response_model=UsageOut)
async def put_quota(organisation: OrganisationId, quota: QuotaIn, service: ServiceDep, who: OperatorDep) -> UsageOut:
    """Holds from the next second on. What is above it already stays; only new frames are refused."""

    def work(connection: Connection) -> None:
        set_quota(connection, organisation, Quota(**quota.model_dump()), who=who.name)

    try:
        await asyncio.wrap_future(service.writer.submit(work))
    except TrialsightError:
        raise not_found("organisation", organisation) from None
    await asyncio.to_thread(service.meter.everybody)
    return await asyncio.to_thread(_usage, service, organisation, 31)


def _usage(service: Service, organisation: str, days: int) -> UsageOut:
    with service.database.read() as connection:
        found = all_usage(connection, organisation=organisation)
        by_day = usage_by_day(connection, organisation, days)
    if not found:
        raise not_found("organisation", organisation)
    used = found[0]
    return UsageOut(
        organisation=organisation,
        frames_today=used.frames_today,
        frames_this_month=used.frames_this_month,
        stored_bytes=used.stored_bytes,
        quota=QuotaIn(**asdict(used.quota)),
        next_day_at=next_day(used),
        next_month_at=next_month(used),
        days=[DayOut.model_validate(day) for day in by_day],
    )
