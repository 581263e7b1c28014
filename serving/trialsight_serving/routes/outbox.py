"""`/v1/outbox`: what waits to be handed on, and why it does."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from trialsight_serving.deps import OperatorDep, ServiceDep
from trialsight_serving.outbox.queue import waiting

router = APIRouter(prefix="/v1/outbox", tags=["operation"])


class TargetOut(BaseModel):
    """`delivered`: by this process since it started; another one may be the one that hands on."""

    name: str = Field(examples=["mes"])
    kind: str | None = Field(examples=["webhook"], description="null: the settings know it no more")
    waiting: int
    oldest_at: datetime | None
    delivered: int
    problem: str | None = Field(examples=["it answered 503 to result 0b8f2d3c9f6e4a61b3c5f1a2d4e6f708"])


class OutboxOut(BaseModel):
    """`leading`: whether this process is the one that hands messages on."""

    leading: bool
    targets: list[TargetOut]


@router.get("", response_model=OutboxOut)
def get_outbox(service: ServiceDep, who: OperatorDep) -> OutboxOut:  # noqa: ARG001 - the role is needed
    with service.database.read() as connection:
        waits = {one.target: one for one in waiting(connection)}
    states = {state.name: state for state in service.outbox.states}
    targets = []
    for name in sorted(waits.keys() | states.keys()):
        state, wait = states.get(name), waits.get(name)
        targets.append(
            TargetOut(
                name=name,
                kind=None if state is None else state.kind,
                waiting=0 if wait is None else wait.count,
                oldest_at=None if wait is None else wait.oldest_at,
                delivered=0 if state is None else state.delivered,
                problem="the settings name no such target" if state is None else state.problem,
            )
        )
    return OutboxOut(leading=service.outbox.leading, targets=targets)
