"""`/v1/selection`: the escape rate from the audit sample, and which parts to look at next, with the reasons."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from trialsight_serving.deps import ReviewerDep, ServiceDep
from trialsight_serving.routes.part_query import PartQueryDep
from trialsight_serving.schemas.inspection import PartOut
from trialsight_serving.selection.audit import escape_rate
from trialsight_serving.selection.informative import informative

router = APIRouter(prefix="/v1/selection", tags=["selection"])


class EscapeRateOut(BaseModel):
    """Of `passes` passed parts `sampled` were drawn by lot, each with the chance `sampling_rate`; people decided about
    `reviewed` of these, `escapes` were defective. `rate`: the share of passed parts that are, with its exact interval;
    null before the first review. `total`: how many such parts to expect among all passes."""

    model_config = ConfigDict(from_attributes=True)
    sampling_rate: float = Field(examples=[0.02])
    passes: int = Field(examples=[12_500])
    sampled: int = Field(examples=[251])
    reviewed: int = Field(examples=[240])
    escapes: int = Field(examples=[1])
    rate: float | None = Field(examples=[0.00417])
    low: float = Field(examples=[0.0001])
    high: float = Field(examples=[0.023])
    confidence: float = Field(examples=[0.95])
    total: float | None = Field(examples=[52.1])


class PickOut(BaseModel):
    """`uncertainty`: distance of the score to the nearer threshold, in units of T2 - T1. `novelty`: cosine distance to
    the nearest part that was reviewed, or is further up in this list."""

    part: PartOut
    uncertainty: float | None = Field(examples=[0.03])
    novelty: float | None = Field(examples=[0.012])


@router.get("/audit", response_model=EscapeRateOut)
def get_escape_rate(service: ServiceDep, who: ReviewerDep, query: PartQueryDep) -> EscapeRateOut:
    """How many defects pass, from the random audit sample; the parts to look at for it: `/v1/parts?audit=true`."""
    rate = service.settings.audit_rate
    with service.database.read() as connection:
        found = escape_rate(connection, who.organisation, query.filter(who, rate), rate)
    return EscapeRateOut.model_validate(found)


@router.get("/informative", response_model=list[PickOut])
def get_informative(
    service: ServiceDep, who: ReviewerDep, query: PartQueryDep, limit: Annotated[int, Query(ge=1, le=200)] = 20
) -> list[PickOut]:
    """Of the newest thousand unreviewed parts that match, those from which the next model would learn most."""
    wanted = query.filter(who, service.settings.audit_rate)
    with service.database.read() as connection:
        found = informative(connection, who.organisation, wanted, limit)
    return [PickOut(part=PartOut.of(one.part), uncertainty=one.uncertainty, novelty=one.novelty) for one in found]
