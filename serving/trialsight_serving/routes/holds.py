"""`/v1/parts/{id}/hold`: a part that is held is never deleted to make room."""

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from trialsight_serving.access.principal import Principal
from trialsight_serving.deps import ReviewerDep, ServiceDep
from trialsight_serving.problems import not_found
from trialsight_serving.service import Service
from trialsight_serving.store.review.holds import set_hold

router = APIRouter(prefix="/v1/parts/{part_id}/hold", tags=["parts"])
PartId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


class Hold(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "complaint 2026-117"}]})
    reason: str = Field(min_length=1, max_length=500)


@router.put("", response_model=Hold)
async def put_hold(part_id: PartId, hold: Hold, service: ServiceDep, who: ReviewerDep) -> Hold:
    """Keep the part, its frames and its maps until it is released."""
    await _set(service, who, part_id, hold.reason)
    return hold


@router.delete("", status_code=204)
async def delete_hold(part_id: PartId, service: ServiceDep, who: ReviewerDep) -> None:
    """Release the part; one that is not held stays as it is."""
    await _set(service, who, part_id, None)


async def _set(service: Service, who: Principal, part_id: str, reason: str | None) -> None:
    work = partial(set_hold, organisation=who.organisation, part_id=part_id, reason=reason, who=who.name)
    if not await asyncio.wrap_future(service.writer.submit(work)):
        raise not_found("part", part_id)
