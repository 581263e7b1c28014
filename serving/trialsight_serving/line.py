"""One frame's way: admitted, inspected in a worker thread, stored, answered. A fault never becomes a pass."""

import asyncio
import hashlib
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from trialsight.health import FrozenWatch
from trialsight.image import ImageHeader
from trialsight.inspector import Inspection
from trialsight.reason import Reason
from trialsight.verdict import Verdict
from trialsight_serving.access.meter import quota_problem
from trialsight_serving.admission import Ticket, lane
from trialsight_serving.drift.sample import pack
from trialsight_serving.models.shelf import LiveModel
from trialsight_serving.problems import Problem
from trialsight_serving.service import Service
from trialsight_serving.store.frames import ExpectedViews, FrameRecord, KeyTakenError, frame_by_key
from trialsight_serving.store.ids import new_id
from trialsight_serving.store.images.maps import encode_map
from trialsight_serving.store.results import Writing
from trialsight_serving.store.upkeep.space import is_full
from trialsight_serving.store.usage import QuotaError
from trialsight_serving.tracing import FrameTrace

log = structlog.get_logger(__name__)
_SPANS = {"decode": "decode", "infer": "run", "post": "post"}  # stages in their order, and what traces call them


@dataclass(frozen=True)
class Arrival:
    """A frame as it came in. `read_ms`: how long its body took to arrive."""

    organisation: str
    line: str
    data: bytes
    sha256: str
    part: str
    view: str
    trial: str
    captured_at: datetime | None
    received_at: datetime
    read_ms: float
    key: str | None = None
    is_partial: bool = False
    process: dict[str, Any] = field(default_factory=dict)
    trace: FrameTrace = field(default_factory=FrameTrace)


async def model_of(service: Service, organisation: str, line: str, view: str) -> LiveModel:
    """The live model of a line's view. Raises Problem: 404 no such line or view, 409 which recipe?, 503 no champion."""
    models = service.tenants.of(organisation)
    if line not in models.lines():
        await asyncio.to_thread(models.refresh_lines)
        if line not in models.lines():
            raise Problem(
                404,
                "line-not-found",
                "No such line",
                f"there is no line {line!r}",
                f"add it: trialsight line add {line}",
            )
    record = models.lines()[line]
    if record.views and view not in record.views:
        views = ", ".join(record.views)
        detail = f"line {line} has no view {view!r}; it has {views}"
        raise Problem(404, "view-not-found", "No such view", detail, "give one of them: ?view=NAME")
    recipe = record.recipe_of(view)
    live = models.models()
    if recipe is None and len(live) > 1:
        names = ", ".join(model.recipe for model in live)
        detail = f"line {line} has no recipe, and several have a champion: {names}"
        raise Problem(
            409, "line-unbound", "The line has no recipe", detail, f"choose one: trialsight line bind {line} RECIPE"
        )
    model = (live[0] if live else None) if recipe is None else models.live(recipe)
    if model is None:
        name = recipe or "RECIPE"
        raise Problem(
            503,
            "no-champion",
            "No model is live",
            f"line {line} has no model that gives verdicts yet",
            f"make one the champion: trialsight promote {name} VERSION",
            headers={"Retry-After": "5"},
        )
    return model


async def take(service: Service, model: LiveModel, ticket: Ticket, arrival: Arrival) -> FrameRecord:
    """The frame's stored result. Raises FrameError for a frame that can't be inspected, Problem where the store fails.

    `timings_ms.store` is known only once the row is written, so it is in this answer and not in the row.
    """
    if arrival.key is not None and (first := await _first_answer(service, arrival)) is not None:
        return first
    header = model.inspector.check(arrival.data)
    writing = service.results.begin(arrival.sha256, arrival.data)
    try:
        return await _take(service, model, ticket, arrival, header, writing)
    except BaseException:
        service.results.forget(arrival.sha256, writing)
        raise


async def _take(
    service: Service, model: LiveModel, ticket: Ticket, arrival: Arrival, header: ImageHeader, writing: Writing
) -> FrameRecord:
    """One hop to a worker's thread and one back: where all cores compute, each wakening waits for one."""
    arrived, arrived_ns = time.perf_counter(), time.time_ns()
    async with ticket.worker() as turn:
        queued_ms = _ms(arrived)
        arrival.trace.stage("admission", arrived_ns)
        fault = _fault(service, model, ticket, arrival, queued_ms)
        turn.ran = fault is None

        def work() -> tuple[FrameRecord, bool]:
            map_png = None
            if fault is None:
                record, map_png = _inspect(model, arrival, header, queued_ms)
            else:
                record = _unseen(fault, model, arrival, header, queued_ms)
            turn.model_has_run()
            return _keep(service, record, arrival, map_png, writing)

        stored, is_new = await asyncio.get_running_loop().run_in_executor(service.inspectors, work)
    if is_new:  # else the same frame, sent twice at once: the first one's answer
        service.shadow.offer(stored, arrival.data)
        # In the loop's next round: the answer needn't wait for it, and whoever has read that finds it counted.
        asyncio.get_running_loop().call_soon(_note, service, stored, ticket.late, arrival.trace)
    return stored


def _keep(
    service: Service, record: FrameRecord, arrival: Arrival, map_png: bytes | None, writing: Writing
) -> tuple[FrameRecord, bool]:
    """The result that is stored under the frame's key, and whether it is `record`."""
    arrival.trace.answered(record.id, {"part": record.part, "verdict": record.verdict, "score": record.score})
    started, started_ns = time.perf_counter(), time.time_ns()
    stored = _store(service, record, arrival, map_png, writing)
    arrival.trace.stage("store", started_ns)
    if stored.id != record.id:
        return stored, False
    return replace(stored, timings_ms=stored.timings_ms | {"store": _ms(started)}), True


def _inspect(
    model: LiveModel, arrival: Arrival, header: ImageHeader, queued_ms: float
) -> tuple[FrameRecord, bytes | None]:
    """In a worker thread: ONNX Runtime, OpenCV and the map's PNG all leave the event loop alone."""
    began_ns = time.time_ns()
    inspection = model.inspector(arrival.data, model.thresholds)
    started = time.perf_counter()
    map_png, scale = None, None
    if inspection.defect_map is not None:
        map_png, scale = encode_map(inspection.defect_map)
    timings = {"read": arrival.read_ms, "queue": queued_ms, **inspection.timings_ms}
    if "post" in timings:
        timings["post"] = round(timings["post"] + _ms(started), 3)
    arrival.trace.stages(began_ns, {span: timings[stage] for stage, span in _SPANS.items() if stage in timings})
    record = _record(model, arrival, header, inspection, timings)
    sha256 = None if map_png is None else hashlib.sha256(map_png).hexdigest()
    return replace(record, map_sha256=sha256, map_scale=scale), map_png


def _fault(service: Service, model: LiveModel, ticket: Ticket, arrival: Arrival, queued_ms: float) -> Reason | None:
    """Why this frame is not inspected at all, or None."""
    after = model.card.judging.frozen_after
    if after is not None:
        watch = service.frozen.setdefault(
            (lane(arrival.organisation, arrival.line), arrival.view, after), FrozenWatch(after)
        )
        if (frozen := watch.fault(arrival.sha256.encode())) is not None:
            return frozen
    return Reason("late", ms=round(queued_ms)) if ticket.late else None


def _unseen(reason: Reason, model: LiveModel, arrival: Arrival, header: ImageHeader, queued_ms: float) -> FrameRecord:
    """The part went by unseen: recorded, so that nobody takes silence for a pass."""
    inspection = Inspection(
        verdict=Verdict.NO_VERDICT,
        reason=reason,
        score=None,
        thresholds=model.thresholds,
        regions=(),
        defect_map=None,
        frame_size_px=(header.width_px, header.height_px),
    )
    return _record(model, arrival, header, inspection, {"read": arrival.read_ms, "queue": queued_ms})


def _record(
    model: LiveModel, arrival: Arrival, header: ImageHeader, inspection: Inspection, timings: dict[str, float]
) -> FrameRecord:
    return FrameRecord(
        id=new_id(),
        organisation_id=arrival.organisation,
        part=arrival.part,
        line=arrival.line,
        view=arrival.view,
        trial=arrival.trial,
        captured_at=arrival.captured_at,
        received_at=arrival.received_at,
        verdict=inspection.verdict.value,
        reason=None if inspection.reason is None else str(inspection.reason),
        why=None if inspection.reason is None else inspection.reason.to_json(),
        rule=inspection.rule,
        score=inspection.score,
        thresholds=asdict(inspection.thresholds),
        regions=[region.to_json() for region in inspection.regions],
        recipe=model.recipe,
        product=model.card.product,
        variant=model.card.variant,
        model_version=model.version,
        graph_sha256=model.card.graph_sha256,
        image_sha256=arrival.sha256,
        image_type=header.content_type,
        width_px=inspection.frame_size_px[0],
        height_px=inspection.frame_size_px[1],
        map_sha256=None,
        map_scale=None,
        timings_ms=timings,
        process=arrival.process,
        is_partial=arrival.is_partial,
        signals=None if inspection.signals is None else inspection.signals.to_json(),
        embedding=pack(inspection.embedding),
    )


async def _first_answer(service: Service, arrival: Arrival) -> FrameRecord | None:
    def look() -> FrameRecord | None:
        assert arrival.key is not None
        with service.database.read() as connection:
            return frame_by_key(connection, arrival.organisation, arrival.line, arrival.key)

    found = await asyncio.to_thread(look)
    return None if found is None else _same_frame(found, arrival)


def _same_frame(found: FrameRecord, arrival: Arrival) -> FrameRecord:
    if found.image_sha256 != arrival.sha256:
        raise Problem(
            422,
            "idempotency-key-reused",
            "The Idempotency-Key was used for another frame",
            f"line {arrival.line} answered another image under this key (frame {found.id})",
            "give each frame a key of its own",
        )
    return found


def _store(
    service: Service, record: FrameRecord, arrival: Arrival, map_png: bytes | None, writing: Writing
) -> FrameRecord:
    """Both files on the disk, then the row, then back. Nobody learns a verdict that a power cut could take away."""
    files = {record.image_sha256: arrival.data}
    if map_png is not None and record.map_sha256 is not None:
        files[record.map_sha256] = map_png
    try:
        begun = {record.image_sha256: writing}
        expected, limited = _expected_views(service, record), service.meter.is_limited(record.organisation_id)
        return service.results.add(record, files, arrival.key, expected, begun, limited=limited)
    except KeyTakenError as taken:
        return _same_frame(taken.frame, arrival)
    except QuotaError as error:
        raise quota_problem(error.usage) from error
    except (OSError, SQLAlchemyError, RuntimeError) as error:
        log.error("store failed", line=arrival.line, part=arrival.part, problem=str(error))
        raise _store_problem(full=is_full(error)) from error


def _expected_views(service: Service, record: FrameRecord) -> ExpectedViews | None:
    """None where one camera is all there is. Views may be apart by the longest deadline among their recipes."""
    models = service.tenants.of(record.organisation_id)
    views = models.lines()[record.line].views
    if not views:
        return None
    live = [models.live(recipe) for recipe in views.values()]
    return ExpectedViews(tuple(views), max((one.card.deadline_ms for one in live if one is not None), default=0))


async def check_quota(service: Service, organisation: str, line: str, key: str | None) -> None:
    """Raises Problem before a frame is read that may not be inspected. One that was answered gets its answer again."""
    used_up = await service.meter.used_up(organisation)
    if used_up is not None and (
        key is None or not await asyncio.to_thread(_is_answered, service, organisation, line, key)
    ):
        raise quota_problem(used_up, 1)


def _is_answered(service: Service, organisation: str, line: str, key: str) -> bool:
    with service.database.read() as connection:
        return frame_by_key(connection, organisation, line, key) is not None


def check_space(service: Service) -> None:
    """Raises Problem 507 before a frame is read that could only be half stored."""
    if service.space.full():
        raise _store_problem(full=True)


def _store_problem(*, full: bool) -> Problem:
    return Problem(
        507 if full else 503,
        "storage-full" if full else "store-unavailable",
        "The result can't be stored",
        "the disk is full" if full else "the store does not take the result; without it there is no verdict",
        "make room on the disk, or let `keep_days` and `disk_keep_free_mb` do it"
        if full
        else "send it again after Retry-After, with the same Idempotency-Key",
        headers={"Retry-After": "5"},
    )


def _note(service: Service, record: FrameRecord, late: bool, trace: FrameTrace) -> None:
    service.news.publish()
    service.outbox.wake()
    name = lane(record.organisation_id, record.line)
    service.metrics.frames.labels(name, record.verdict, _cause(record)).inc()
    service.metrics.deadline_missed.labels(name).inc(late)
    for stage, value_ms in record.timings_ms.items():
        service.metrics.stage_seconds.labels(stage).observe(value_ms / 1000)
    log.info(
        "frame",
        line=record.line,
        part=record.part,
        verdict=record.verdict,
        score=record.score,
        model=f"{record.recipe}/{record.model_version}",
        ms=round(sum(record.timings_ms.values()), 1),
        **({} if trace.id is None else {"trace_id": trace.id}),
    )


def _cause(record: FrameRecord) -> str:
    """The rule that decided, or of a reason the words before its numbers; empty for a pass."""
    if record.verdict == Verdict.PASS:
        return ""
    return record.rule or (record.reason or "").partition(":")[0]


def _ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
