"""`POST /v1/lines/{line}/frames` and what can be read of a frame afterwards."""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from fastapi import APIRouter, Header, Path, Query, Request, Response

from trialsight.errors import FrameError
from trialsight.image import decode, read_header
from trialsight.image.header import CONTENT_TYPES
from trialsight_serving.access.principal import Principal
from trialsight_serving.admission import lane
from trialsight_serving.deps import AnyoneDep, CameraDep, ServiceDep
from trialsight_serving.line import Arrival, check_quota, check_space, model_of, take
from trialsight_serving.models.packages import reference_of
from trialsight_serving.openapi.content import BINARY, IMAGES, file
from trialsight_serving.openapi.errors import problems
from trialsight_serving.problems import Problem, frame_problem, not_found
from trialsight_serving.routes.body import check_content_type, read_frame
from trialsight_serving.schemas.inspection import FrameOut
from trialsight_serving.schemas.time import Time
from trialsight_serving.service import Service
from trialsight_serving.store.frames import FrameRecord, frame_by_id
from trialsight_serving.store.images.maps import to_8_bit

router = APIRouter(prefix="/v1", tags=["frames"])
FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # content-addressed: it never changes
_SMALL_BYTES = 2**20
_NAME = r"^[^\x00-\x1f\x7f]+$"
_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
_FORM = {"type": "object", "properties": {"file": BINARY["schema"]}, "required": ["file"]}
_GONE = problems({410: "The row is there, its file is not"})
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            **dict.fromkeys(CONTENT_TYPES.values(), BINARY),
            "multipart/form-data": {"schema": _FORM},
        },
    }
}
_MAP = file("The map", "image/png", headers={"X-Map-Scale": "The score of the full code"})
_PROBLEMS = problems(
    {
        400: "Empty body, or a form without a file",
        404: "No such line",
        408: "The body came too slowly",
        409: "The line has no recipe",
        413: "Over the byte or pixel limit",
        415: "Not an image",
        422: "Undecodable, wrong geometry, or an invalid parameter",
        429: "The line is full, the deadline can't be met, or the frame quota is used up; see Retry-After",
        503: "No champion yet, or the store does not answer",
        507: "The disk is full, or the storage quota used up",
    }
)

LineName = Annotated[str, Path(min_length=1, max_length=64, examples=["L1"])]
FrameId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


@router.post("/lines/{line}/frames", response_model=FrameOut, responses=_PROBLEMS, openapi_extra=_BODY)
async def post_frame(
    request: Request,
    line: LineName,
    service: ServiceDep,
    who: CameraDep,
    part: Annotated[str | None, Query(min_length=1, max_length=128, pattern=_NAME, examples=["P-1"])] = None,
    view: Annotated[str, Query(min_length=1, max_length=64, pattern=_NAME)] = "default",
    trial: Annotated[str | None, Query(min_length=1, max_length=64, pattern=_NAME)] = None,
    captured_at: Annotated[Time | None, Query(description="ISO 8601; UTC where it names no zone")] = None,
    is_partial: Annotated[bool, Query(description="More frames of this part will follow")] = False,
    process: Annotated[str | None, Query(max_length=4096, description="Process parameters, a JSON object")] = None,
    x_deadline_ms: Annotated[int | None, Header(ge=1, le=3_600_000)] = None,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Response:
    """Inspect one frame. The answer comes once image, map and result are on the disk."""
    started, received_at = time.perf_counter(), datetime.now(UTC)
    trace, started_ns = service.tracing.frame(request.headers, lane(who.organisation, line)), time.time_ns()
    with trace, _refusals_counted(service, who.organisation, line):
        model = await model_of(service, who.organisation, line, view)
        check_content_type(request)
        check_space(service)
        await check_quota(service, who.organisation, line, idempotency_key)
        deadline_ms = x_deadline_ms or model.card.deadline_ms
        with service.admission.admit(lane(who.organisation, line), deadline_ms / 1000) as ticket:
            settings = service.settings
            data = await read_frame(request, settings.max_body_bytes, settings.body_timeout_s)
            trace.stage("read", started_ns)
            arrival = Arrival(
                organisation=who.organisation,
                line=line,
                data=data,
                sha256=await _sha256(data),
                part=part or f"{line}-{received_at:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}",
                view=view,
                trial=trial or "",
                captured_at=_utc(captured_at),
                received_at=received_at,
                read_ms=round((time.perf_counter() - started) * 1000, 3),
                key=idempotency_key,
                is_partial=is_partial,
                process=_process(process),
                trace=trace,
            )
            stored = await take(service, model, ticket, arrival)
    # Made here and not by FastAPI, which would check and copy it all once more.
    return Response(FrameOut.of(stored).model_dump_json(), media_type="application/json")


async def _sha256(data: bytes) -> str:
    """A large frame takes tens of milliseconds, in which the event loop must answer others."""
    digest = hashlib.sha256(data) if len(data) <= _SMALL_BYTES else await asyncio.to_thread(hashlib.sha256, data)
    return digest.hexdigest()


@contextmanager
def _refusals_counted(service: Service, organisation: str, line: str) -> Iterator[None]:
    try:
        try:
            yield
        except FrameError as error:
            raise frame_problem(error) from error
    except Problem as problem:
        is_known = line in service.tenants.of(organisation).lines()
        known = lane(organisation, line) if is_known else "unknown"  # a label per typo would grow without end
        service.metrics.rejected.labels(known, problem.slug).inc()
        raise


@router.get("/frames/{frame_id}", response_model=FrameOut)
def get_frame(frame_id: FrameId, service: ServiceDep, who: AnyoneDep) -> FrameOut:
    return FrameOut.of(find_frame(service, who, frame_id))


@router.get("/frames/{frame_id}/image", response_class=Response, responses=file("The frame", *IMAGES) | _GONE)
def get_image(
    frame_id: FrameId,
    service: ServiceDep,
    who: AnyoneDep,
    display: Annotated[bool, Query(description="As a browser can show it: TIFF becomes PNG")] = False,
) -> Response:
    """The frame's own bytes, as they were posted."""
    record = find_frame(service, who, frame_id)
    data, kind = find_file(service, record.image_sha256, frame_id), record.image_type
    if display:
        data, kind = for_browser(data)
    return Response(data, media_type=kind, headers=FOREVER)


@router.get("/frames/{frame_id}/reference", response_class=Response, responses=file("A good part", *IMAGES) | _GONE)
def get_reference(frame_id: FrameId, service: ServiceDep, who: AnyoneDep) -> Response:
    """How a good part looks to the model that judged this frame: what it registers to, else its good golden frame."""
    record = find_frame(service, who, frame_id)
    data = reference_of(service.tenants.of(who.organisation), record.recipe, record.model_version)
    if data is None:
        detail = f"{record.recipe} version {record.model_version} has no picture of a good part here"
        raise Problem(404, "reference-not-found", "No reference", detail)
    data, kind = for_browser(data)
    return Response(data, media_type=kind, headers=FOREVER)


@router.get("/frames/{frame_id}/thumbnail", response_class=Response, responses=file("Small", "image/jpeg") | _GONE)
def get_thumbnail(
    frame_id: FrameId, service: ServiceDep, who: AnyoneDep, size: Annotated[int, Query(ge=32, le=512)] = 160
) -> Response:
    """A JPEG at most `size` pixels wide and high."""
    record = find_frame(service, who, frame_id)
    jpeg = small_jpeg(find_file(service, record.image_sha256, frame_id), (record.width_px, record.height_px), size)
    return Response(jpeg, media_type="image/jpeg", headers=FOREVER)


@router.get("/frames/{frame_id}/map", response_class=Response, responses=_MAP | _GONE)
def get_map(
    frame_id: FrameId, service: ServiceDep, who: AnyoneDep, bits: Annotated[Literal["8", "16"], Query()] = "16"
) -> Response:
    """The defect map, one channel. Score of a pixel = code / full code x `X-Map-Scale`."""
    record = find_frame(service, who, frame_id)
    if record.map_sha256 is None or record.map_scale is None:
        raise Problem(404, "map-not-found", "No map", f"frame {frame_id} has no defect map: {record.reason}")
    png = find_file(service, record.map_sha256, frame_id)
    headers = FOREVER | {"X-Map-Scale": repr(record.map_scale)}
    return Response(to_8_bit(png) if bits == "8" else png, media_type="image/png", headers=headers)


def small_jpeg(data: bytes, size_px: tuple[int, int], most: int) -> bytes:
    """At most `most` pixels wide and high; JPEGs are decoded at a reduced scale."""
    flags = next((flag for times, flag in _REDUCED.items() if min(size_px) >= most * times), cv2.IMREAD_COLOR)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise not_found("image", "")
    factor = min(1.0, most / max(image.shape[:2]))
    image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def for_browser(data: bytes) -> tuple[bytes, str]:
    """An image and its content type; TIFF, which browsers don't show, as PNG."""
    header = read_header(data)
    if header.format != "tiff":
        return data, header.content_type
    pixels = cv2.cvtColor(decode(data, header), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", pixels)[1].tobytes(), CONTENT_TYPES["png"]


def find_frame(service: Service, who: Principal, frame_id: str) -> FrameRecord:
    with service.database.read() as connection:
        record = frame_by_id(connection, who.organisation, frame_id)
    if record is None or not who.may_use(record.line):
        raise not_found("frame", frame_id)
    return record


def find_file(service: Service, sha256: str, frame_id: str) -> bytes:
    try:
        return service.images.get(sha256)
    except FileNotFoundError:
        raise Problem(
            410, "file-gone", "The file is gone", f"the store no longer holds it for frame {frame_id}"
        ) from None


def _utc(at: datetime | None) -> datetime | None:
    return at if at is None else (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)


def _process(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Problem(422, "request-invalid", "The request is not valid", "process: a JSON object is expected")
    return value
