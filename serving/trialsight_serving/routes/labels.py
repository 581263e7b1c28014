"""What people teach: masks that they draw, and the labels that training takes."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from trialsight.errors import FrameError
from trialsight.image import Limits, check_header
from trialsight_serving.deps import ReviewerDep, ServiceDep
from trialsight_serving.openapi.content import BINARY, file
from trialsight_serving.openapi.errors import problems
from trialsight_serving.problems import Problem, not_found
from trialsight_serving.routes.body import read_frame
from trialsight_serving.routes.frames import FrameId, find_file, find_frame
from trialsight_serving.routes.keep import keep
from trialsight_serving.routes.parts import PartId
from trialsight_serving.schemas.review import FrameLabel, LabelsOut, MaskOut, ReviewState
from trialsight_serving.store.frames import FrameRecord, frames_of_part
from trialsight_serving.store.parts import part_by_id
from trialsight_serving.store.review.decisions import standing_of
from trialsight_serving.store.review.masks import MaskRecord, decode_mask, encode_mask, insert_mask, masks_of

router = APIRouter(prefix="/v1", tags=["labels"])
MAX_MASK_BYTES = 8 * 2**20
_GONE = problems({410: "The row is there, its file is not"})
_PNG_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"image/png": BINARY}}}
_MASK_PROBLEMS = problems({400: "Empty body", 408: "The body came too slowly", 422: "Not a mask of this frame"})


@router.put("/frames/{frame_id}/mask", response_model=MaskOut, responses=_MASK_PROBLEMS, openapi_extra=_PNG_BODY)
async def put_mask(frame_id: FrameId, request: Request, service: ServiceDep, who: ReviewerDep) -> MaskOut:
    """Take a person's mask of the frame's defects: a black and white PNG of the frame's size, white where defective.
    All black: there is none. It becomes the training label; those before it are kept."""
    frame = await asyncio.to_thread(find_frame, service, who, frame_id)
    data = await read_frame(request, MAX_MASK_BYTES, service.settings.body_timeout_s)
    mask = await asyncio.to_thread(_read_mask, data, frame)
    png, area_px, now = encode_mask(mask), int(np.count_nonzero(mask)), datetime.now(UTC)

    def write(connection: Connection, name: str) -> MaskRecord:
        drawn = (name, area_px, who.name, now, len(png))
        return insert_mask(connection, who.organisation, frame.part_id, frame_id, *drawn)

    return _mask_out(await keep(service, png, write))


@router.get("/frames/{frame_id}/mask", response_class=Response, responses=file("The mask", "image/png") | _GONE)
def get_mask(frame_id: FrameId, service: ServiceDep, who: ReviewerDep) -> Response:
    """The newest mask that a person drew of this frame, as a 1-bit PNG."""
    frame = find_frame(service, who, frame_id)
    with service.database.read() as connection:
        found = masks_of(connection, who.organisation, frame.part_id).get(frame_id)
    if found is None:
        raise Problem(404, "mask-not-found", "No mask", f"nobody drew a mask of frame {frame_id}")
    return Response(
        find_file(service, found.sha256, frame_id), media_type="image/png", headers={"Cache-Control": "no-cache"}
    )


@router.get("/parts/{part_id}/labels", response_model=LabelsOut)
def get_labels(part_id: PartId, service: ServiceDep, who: ReviewerDep) -> LabelsOut:
    """What people made of the part: good or defective, of which class, and where."""
    with service.database.read() as connection:
        part = part_by_id(connection, who.organisation, part_id)
        if part is None:
            raise not_found("part", part_id)
        frames = frames_of_part(connection, who.organisation, part_id)
        now = standing_of(connection, who.organisation, part_id)
        masks = masks_of(connection, who.organisation, part_id)
    newest = {frame.view: frame for frame in reversed(frames)}.values()
    return LabelsOut.model_validate(
        {
            "part_id": part_id,
            "part": part.serial,
            "review": ReviewState(part.review),
            "outcome": now.outcome,
            "defect_class": part.defect_class if now.outcome == "defect" else None,
            "frames": [_label(frame, masks.get(frame.id)) for frame in newest],
        }
    )


def _label(frame: FrameRecord, mask: MaskRecord | None) -> FrameLabel:
    return FrameLabel(
        frame_id=frame.id,
        view=frame.view,
        image_url=f"/v1/frames/{frame.id}/image",
        width_px=frame.width_px,
        height_px=frame.height_px,
        mask=None if mask is None else _mask_out(mask),
    )


def _mask_out(record: MaskRecord) -> MaskOut:
    return MaskOut(
        frame_id=record.frame_id,
        mask_url=f"/v1/frames/{record.frame_id}/mask",
        sha256=record.sha256,
        area_px=record.area_px,
        drawn_by=record.drawn_by,
        drawn_at=record.drawn_at,
    )


def _read_mask(data: bytes, frame: FrameRecord) -> NDArray[np.bool_]:
    """Its size is read from the header, before anything is decoded. Raises Problem 422."""
    try:
        header = check_header(data, Limits(MAX_MASK_BYTES, frame.width_px * frame.height_px))
        size = (header.width_px, header.height_px)
        if header.format != "png" or size != (frame.width_px, frame.height_px):
            raise ValueError(
                f"it is a {header.format} of {size[0]}x{size[1]}, wanted is a PNG of {frame.width_px}x{frame.height_px}"
            )
        return decode_mask(data)
    except (FrameError, ValueError) as error:
        detail = error.problem if isinstance(error, FrameError) else str(error)
        remedy = "send a black and white PNG of the frame's size"
        raise Problem(422, "mask-invalid", "Not a mask of this frame", detail, remedy) from None
