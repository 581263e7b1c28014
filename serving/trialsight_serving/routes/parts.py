"""`/v1/parts`: the list, one part with its frames, and decisions about it."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.engine import Connection

from trialsight_serving.deps import ReviewerDep, ServiceDep
from trialsight_serving.openapi.errors import problems
from trialsight_serving.problems import Problem, not_found
from trialsight_serving.routes.part_query import PartQueryDep
from trialsight_serving.schemas.inspection import FrameOut, PartDetail, PartOut, PartPage
from trialsight_serving.schemas.review import BulkIn, BulkOut, DecisionIn, DecisionOut, RefusedPart
from trialsight_serving.selection.informative import listed
from trialsight_serving.service import Service
from trialsight_serving.store.frames import frames_of_part
from trialsight_serving.store.parts import Place, part_by_id
from trialsight_serving.store.review.decisions import Decision, DecisionRefusedError, decisions_of, insert_decision

router = APIRouter(prefix="/v1/parts", tags=["parts"])
PartId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
T = TypeVar("T")
_DECIDED: dict[int | str, dict[str, Any]] = {
    200: {"model": DecisionOut, "description": "It was stored before, under this `key`"}
}


@router.get("", response_model=PartPage)
def get_parts(
    service: ServiceDep,
    who: ReviewerDep,
    query: PartQueryDep,
    after: Annotated[str | None, Query(description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PartPage:
    """Newest first, by score, or what tells most first. `next` leads on; a page costs the same however far down it
    lies."""
    wanted = query.filter(who, service.settings.audit_rate)
    with service.database.read() as connection:
        found = listed(connection, who.organisation, wanted, query.place(after), limit + 1)
    following = str(Place.of(found[limit - 1], query.sort)) if len(found) > limit else None
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


@router.post("/decisions", response_model=BulkOut, status_code=201)
async def post_bulk(bulk: BulkIn, service: ServiceDep, who: ReviewerDep) -> BulkOut:
    """One decision for many parts, recorded as such: each part gets its own event, all in one transaction."""
    now = datetime.now(UTC)
    wanted = [
        Decision(
            key=f"{bulk.key}.{one.part_id}",
            part_id=one.part_id,
            decision=bulk.decision.value,
            frame_id=one.frame_id,
            note=bulk.note,
            defect_class=bulk.defect_class,
            bulk=bulk.key,
            undoes=None if bulk.undoes is None else f"{bulk.undoes}.{one.part_id}",
        )
        for one in bulk.parts
    ]

    def work(connection: Connection) -> tuple[int, int, list[RefusedPart]]:
        new, stored, refused = 0, 0, []
        for decision in wanted:
            try:
                new += insert_decision(connection, who.organisation, decision, who.name, now)[1]
                stored += 1
            except DecisionRefusedError as error:
                refused.append(RefusedPart(part_id=decision.part_id, problem=error.detail))
        return new, stored, refused

    new, stored, refused = await _written(service, work)
    service.metrics.decisions.labels(bulk.decision.value).inc(new)
    return BulkOut(bulk=bulk.key, stored=stored, refused=refused)


@router.post(
    "/{part_id}/decisions",
    response_model=DecisionOut,
    status_code=201,
    responses=_DECIDED | problems({409: "It does not fit what was decided before"}),
)
async def post_decision(
    part_id: PartId, decision: DecisionIn, service: ServiceDep, who: ReviewerDep, response: Response
) -> DecisionOut:
    """Append what a person decided. Nothing is overwritten: a changed mind is another decision, and so is an undo."""
    given = decision.model_dump(mode="json") | {"key": decision.key or uuid.uuid4().hex}
    wanted, now = Decision(part_id=part_id, **given), datetime.now(UTC)
    try:
        stored, new = await _written(
            service, lambda connection: insert_decision(connection, who.organisation, wanted, who.name, now)
        )
    except DecisionRefusedError as error:
        if error.slug == "part-not-found":
            raise not_found("part", part_id) from None
        raise Problem(409, error.slug, "The decision does not fit", error.detail) from None
    response.status_code = 201 if new else 200
    if new:
        service.metrics.decisions.labels(stored.decision).inc()
    return DecisionOut.of(stored)


async def _written(service: Service, work: Callable[[Connection], T]) -> T:
    return await asyncio.wrap_future(service.writer.submit(work))
