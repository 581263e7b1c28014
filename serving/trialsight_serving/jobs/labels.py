"""What people decided about a recipe's frames, as files that training reads: one JSON line a frame."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight.files import write_atomic
from trialsight.naming import UNNAMED
from trialsight_serving.store.frames import FrameRecord, frames_of_part
from trialsight_serving.store.images import ImageStore
from trialsight_serving.store.review.decisions import standing_of
from trialsight_serving.store.review.masks import masks_of
from trialsight_serving.store.review.standing import DECIDED
from trialsight_serving.store.tables import frames, parts

GOOD = "good"
_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/bmp": ".bmp", "image/tiff": ".tiff"}


@dataclass(frozen=True)
class Labelled:
    """A frame as people judge it: `label` is `good` or the defect's class. `mask_sha256`: of the newest mask drawn."""

    frame: FrameRecord
    label: str
    mask_sha256: str | None


def labelled_frames(connection: Connection, organisation: str, recipe: str) -> list[Labelled]:
    """Of parts whose review is over, in the order in which they first came; the newest frame of each view.

    Of a defective part only the frame that was judged counts, and those on which somebody drew a defect: the other
    views may show nothing of it.
    """
    seen = sa.exists().where(frames.c.part_id == parts.c.id, frames.c.recipe == recipe)
    query = (
        sa.select(parts.c.id)
        .where(parts.c.organisation_id == organisation, parts.c.review == DECIDED, seen)
        .order_by(parts.c.last_seq)
    )
    found = []
    for part_id in connection.execute(query).scalars().all():
        found += _of_part(connection, organisation, part_id, recipe)
    return found


def write_labels(labelled: list[Labelled], images: ImageStore, folder: Path) -> Path:
    """`labels.jsonl` and the files that it names. Frames that retention took away are left out."""
    rows: list[dict[str, Any]] = []
    for one in labelled:
        image = f"{one.frame.image_sha256}{_SUFFIXES.get(one.frame.image_type, '')}"
        try:
            _fetch(images, one.frame.image_sha256, folder / image)
            row = {"image": image, "part": one.frame.part, "view": one.frame.view, "label": one.label}
            if one.mask_sha256 is not None:
                row["mask"] = f"{one.mask_sha256}.png"
                _fetch(images, one.mask_sha256, folder / row["mask"])
        except FileNotFoundError:
            continue
        rows.append(row)
    path = folder / "labels.jsonl"
    write_atomic(path, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode())
    return path


def _of_part(connection: Connection, organisation: str, part_id: str, recipe: str) -> list[Labelled]:
    now = standing_of(connection, organisation, part_id)
    if now.decision is None or now.outcome not in ("good", "defect"):
        return []
    newest = {frame.view: frame for frame in reversed(frames_of_part(connection, organisation, part_id))}
    mine = [frame for frame in newest.values() if frame.recipe == recipe]
    if now.outcome == "good":
        return [Labelled(frame, GOOD, None) for frame in mine]
    masks = {frame: mask.sha256 for frame, mask in masks_of(connection, organisation, part_id).items() if mask.area_px}
    label = now.decision.defect_class or UNNAMED
    judged = [frame for frame in mine if frame.id == now.decision.frame_id or frame.id in masks]
    return [Labelled(frame, label, masks.get(frame.id)) for frame in judged]


def _fetch(images: ImageStore, sha256: str, path: Path) -> None:
    if not path.is_file():
        write_atomic(path, images.get(sha256))
