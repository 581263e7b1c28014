"""`/v1/parts`: the list, one part with its frames, and decisions about it."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query

from trialsight.verdict import Verdict
from trialsight_serving.deps import ReviewerDep, ServiceDep
from trialsight_serving.problems import Problem, not_found
from trialsight_serving.schemas import DecisionIn, DecisionOut, FrameOut, PartDetail, PartOut, PartPage
from trialsight_serving.store.frames import frames_of_part
from trialsight_serving.store.parts import PartFilter, decisions_of, insert_decision, list_parts, part_by_id

router = APIRouter(prefix="/v1/parts", tags=["parts"])
PartId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


@router.get("", response_model=PartPage)
def get_parts(
    service: ServiceDep,
    who: ReviewerDep,
    line: Annotated[str | None, Query(max_length=64)] = None,
    verdict: Annotated[list[Verdict] | None, Query()] = None,
    trial: Annotated[str | None, Query(max_length=64)] = None,
    view: Annotated[str | None, Query(max_length=64)] = None,
    part: Annotated[str | None, Query(max_length=128, description="The serial number")] = None,
    unreviewed: bool = False,
    after: Annotated[str | None, Query(description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PartPage:
    """Newest first. `next` leads to older ones; a page costs the same however far down it lies."""
    wanted = PartFilter(line, tuple(verdict or ()), trial, view, part, unreviewed)
    with service.database.read() as connection:
        found = list_parts(connection, who.organisation, wanted, cursor(after), limit + 1)
    following = str(found[limit - 1].last_seq) if len(found) > limit else None
    return PartPage(parts=[PartOut.of(record) for record in found[:limit]], next=following)


@router.get("/{part_id}", response_model=PartDetail)
def get_part(part_id: PartId, service: ServiceDep, who: ReviewerDep) -> PartDetail:
    with service.database.read() as connection:
        record = part_by_id(connection, who.organisation, part_id)
        if record is None:
            raise not_found("part", part_id)
        frames = frames_of_part(connection, who.organisation, part_id)
        decisions = decisions_of(connection, who.organisation, part_id)
    return PartDetail(
        **PartOut.of(record).model_dump(),
        frames=[FrameOut.of(frame) for frame in frames],
        decisions=[DecisionOut.of(decision) for decision in decisions],
    )


@router.post("/{part_id}/decisions", response_model=DecisionOut, status_code=201)
async def post_decision(part_id: PartId, decision: DecisionIn, service: ServiceDep, who: ReviewerDep) -> DecisionOut:
    """Append what a person decided. Nothing is overwritten: a changed mind is another decision."""

    def look() -> object:
        with service.database.read() as connection:
            return part_by_id(connection, who.organisation, part_id)

    if await asyncio.to_thread(look) is None:
        raise not_found("part", part_id)
    now = datetime.now(UTC)
    work = service.writer.submit(
        lambda connection: insert_decision(
            connection, who.organisation, part_id, decision.decision.value, decision.note, who.name, now
        )
    )
    stored = await asyncio.wrap_future(work)
    service.metrics.decisions.labels(stored.decision).inc()
    return DecisionOut.of(stored)


def cursor(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Problem(422, "request-invalid", "The request is not valid", "after: not a cursor of this list")
    return int(text)
