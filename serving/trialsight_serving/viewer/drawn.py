"""What the browser needs to draw a frame: numbers, outlines and addresses, never a coloured picture."""

import json

from trialsight.geometry.scale import Scale
from trialsight_serving.models.packages import card_of
from trialsight_serving.service import Service
from trialsight_serving.store.frames import FrameRecord
from trialsight_serving.store.parts import PartRecord


def drawn(service: Service, part: PartRecord, frame: FrameRecord, has_mask: bool) -> str:
    """JSON for the stage's `data-frame`. `mm`: the recipe's scale, or null."""
    card = card_of(service.tenants.of(frame.organisation_id), frame.recipe, frame.model_version)
    address = f"/v1/frames/{frame.id}"
    return json.dumps(
        {
            "id": frame.id,
            "part": part.id,
            "state": part.last_frame_id,
            "verdict": part.verdict,
            "width_px": frame.width_px,
            "height_px": frame.height_px,
            "regions": [{"contour": one["contour"], "box_px": one["box_px"]} for one in frame.regions],
            "thresholds": frame.thresholds,
            "image_url": f"{address}/image?display=true",
            "map_url": None if frame.map_sha256 is None else f"{address}/map?bits=8",
            "mask_url": f"{address}/mask",
            "has_mask": has_mask,
            "reference_url": f"{address}/reference",
            "mm": None if card is None or card.judging.scale is None else _matrix(card.judging.scale),
        },
        separators=(",", ":"),
    )


def score_bar(score: float | None, thresholds: dict[str, float]) -> dict[str, float] | None:
    """Where score, T1 and T2 lie on a bar, in percent of its width."""
    if score is None:
        return None
    full = max(thresholds["t2"] * 1.6, score * 1.1) or 1.0
    places = {"t1": thresholds["t1"], "t2": thresholds["t2"], "score": score}
    return {name: round(100 * min(max(value / full, 0.0), 1.0), 2) for name, value in places.items()}


def _matrix(scale: Scale) -> list[list[float]]:
    """3x3 from frame pixels to mm."""
    if scale.homography is not None:
        return [list(row) for row in scale.homography]
    assert scale.mm_per_px is not None
    return [[scale.mm_per_px, 0, 0], [0, scale.mm_per_px, 0], [0, 0, 1]]
