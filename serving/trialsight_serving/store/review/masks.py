"""Masks that people drew: 1-bit PNG files in the image store, and who drew which when (append-only)."""

from dataclasses import dataclass
from datetime import datetime

import cv2
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from trialsight_serving.store import audit
from trialsight_serving.store.tables import masks
from trialsight_serving.store.usage import count_stored


@dataclass(frozen=True)
class MaskRecord:
    """The file is `sha256` in the image store, of the frame's size. `area_px` 0: there is no defect in this frame."""

    id: int
    part_id: str
    frame_id: str
    sha256: str
    area_px: int
    drawn_by: str
    drawn_at: datetime


def encode_mask(mask: NDArray[np.bool_]) -> bytes:
    """(h, w) bool to a 1-bit gray PNG, white where True."""
    return cv2.imencode(".png", mask.astype(np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes()


def decode_mask(png: bytes) -> NDArray[np.bool_]:
    """(h, w) bool. Raises ValueError where a pixel is neither black nor white, or it is no one-channel PNG at all."""
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise ValueError("it is not a PNG of one channel with 1 or 8 bits")
    if not np.isin(pixels, (0, 255)).all():
        raise ValueError("a mask is black and white, this one has grays")
    return np.asarray(pixels > 0)


def insert_mask(
    connection: Connection,
    organisation: str,
    part_id: str,
    frame_id: str,
    sha256: str,
    area_px: int,
    drawn_by: str,
    drawn_at: datetime,
    stored_bytes: int,
) -> MaskRecord:
    """Append, and count; the same mask by the same person as the newest one changes nothing and gives that one."""
    newest = masks_of(connection, organisation, part_id).get(frame_id)
    if newest is not None and (newest.sha256, newest.drawn_by) == (sha256, drawn_by):
        return newest
    values = {
        "part_id": part_id,
        "frame_id": frame_id,
        "sha256": sha256,
        "area_px": area_px,
        "drawn_by": drawn_by,
        "drawn_at": drawn_at,
        "stored_bytes": stored_bytes,
    }
    inserted = connection.execute(masks.insert(), {"organisation_id": organisation, **values})
    assert inserted.inserted_primary_key is not None
    count_stored(connection, organisation, stored_bytes)
    old = None if newest is None else {"mask": newest.sha256}
    new = {"frame": frame_id, "mask": sha256, "area_px": area_px}
    audit.record(connection, organisation, drawn_by, "part.masked", f"part/{part_id}", old, new, drawn_at)
    return MaskRecord(int(inserted.inserted_primary_key[0]), part_id, frame_id, sha256, area_px, drawn_by, drawn_at)


def masks_of(connection: Connection, organisation: str, part_id: str) -> dict[str, MaskRecord]:
    """Frame to its newest mask."""
    return {record.frame_id: record for record in all_masks_of(connection, organisation, part_id)}


def all_masks_of(connection: Connection, organisation: str, part_id: str) -> list[MaskRecord]:
    """Oldest first."""
    columns = [column for column in masks.c if column.name not in ("organisation_id", "stored_bytes")]
    query = sa.select(*columns).where(masks.c.organisation_id == organisation, masks.c.part_id == part_id)
    return [MaskRecord(*row) for row in connection.execute(query.order_by(masks.c.id))]
