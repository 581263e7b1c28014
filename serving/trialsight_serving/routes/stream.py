"""Live results as server-sent events; `id` is the store's sequence, so a browser that reconnects misses nothing."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from trialsight_serving.deps import AnyoneDep, ReviewerDep, ServiceDep
from trialsight_serving.problems import not_found
from trialsight_serving.schemas.inspection import FrameOut
from trialsight_serving.service import Service
from trialsight_serving.store.frames import FrameRecord, frames_after, newest_seq

router = APIRouter(prefix="/v1", tags=["stream"])
HEARTBEAT_S = 15
PAUSE_S = 0.05  # at most 20 reads of the store a second and listener, whatever the line's pace
_SSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `frame`, each with a result as its data",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'id: 182\nevent: frame\ndata: {"id": "0b8f2d3c…", "verdict": "pass"}\n\n',
            }
        },
    }
}


@router.get("/stream", response_class=StreamingResponse, responses=_SSE)
async def stream_all(
    request: Request, service: ServiceDep, who: ReviewerDep, last_event_id: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    """Results of every line as they are stored."""
    return _respond(request, service, who.organisation, None, last_event_id)


@router.get("/lines/{line}/stream", response_class=StreamingResponse, responses=_SSE)
async def stream_line(
    line: str,
    request: Request,
    service: ServiceDep,
    who: AnyoneDep,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Results of one line as they are stored."""
    if line not in service.tenants.of(who.organisation).lines():
        raise not_found("line", line)
    return _respond(request, service, who.organisation, line, last_event_id)


def _respond(
    request: Request, service: Service, organisation: str, line: str | None, last_id: str | None
) -> StreamingResponse:
    since = int(last_id) if last_id is not None and last_id.isascii() and last_id.isdigit() else None
    events = _events(request, service, organisation, line, since)
    return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _events(
    request: Request, service: Service, organisation: str, line: str | None, since: int | None
) -> AsyncIterator[str]:
    seq = await asyncio.to_thread(_newest, service) if since is None else since
    yield f"retry: 1000\nid: {seq}\n\n"
    idle_s, clock = 0.0, asyncio.get_running_loop().time
    while not service.news.closing and not await request.is_disconnected():
        waiter = service.news.listen()
        found = await asyncio.to_thread(_after, service, organisation, seq, line)
        for record in found:
            seq = record.seq
            yield f"id: {seq}\nevent: frame\ndata: {FrameOut.of(record).model_dump_json()}\n\n"
        if found:
            service.news.forget(waiter)
            idle_s = 0.0
            await asyncio.sleep(PAUSE_S)
            continue
        started = clock()
        await service.news.wait(waiter)
        idle_s += clock() - started
        if idle_s > HEARTBEAT_S:
            idle_s = 0.0
            yield ": still here\n\n"


def _newest(service: Service) -> int:
    with service.database.read() as connection:
        return newest_seq(connection)


def _after(service: Service, organisation: str, seq: int, line: str | None) -> list[FrameRecord]:
    with service.database.read() as connection:
        return frames_after(connection, organisation, seq, line)
