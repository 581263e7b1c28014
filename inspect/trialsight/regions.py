"""Connected defects in a defect map, measured in the frame's own pixels (and mm where the recipe has a scale)."""

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_REGIONS = 64


@dataclass(frozen=True)
class Region:
    """One connected defect. Coordinates are (x, y) in frame pixels, origin at the top left corner.

    `contour`: outer outline, one point a row. `box_px`: x, y, width, height. `peak`: highest score inside.
    """

    contour: tuple[tuple[float, float], ...]
    box_px: tuple[float, float, float, float]
    area_px: float
    area_mm2: float | None
    peak: float
    defect_class: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_regions(
    defect_map: NDArray[np.float32],
    threshold: float,
    frame_size_px: tuple[int, int],
    mm_per_px: float | None = None,
) -> tuple[Region, ...]:
    """Regions whose scores reach `threshold`, strongest first, at most 64 (8-connected, at map resolution).

    `frame_size_px` is (width, height). A pixel of the map stands for a rectangle of frame pixels; areas count those.
    """
    mask = (defect_map >= threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    scale_x = frame_size_px[0] / defect_map.shape[1]
    scale_y = frame_size_px[1] / defect_map.shape[0]
    regions = []
    for label in range(1, count):
        left, top, width, height, pixels = (int(value) for value in stats[label])
        window = np.s_[top : top + height, left : left + width]
        inside = labels[window] == label
        outlines, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        outline = max(outlines, key=len)[:, 0, :] + (left + 0.5, top + 0.5)
        area_px = pixels * scale_x * scale_y
        regions.append(
            Region(
                contour=tuple((round(x * scale_x, 1), round(y * scale_y, 1)) for x, y in outline.tolist()),
                box_px=(
                    round(left * scale_x, 1),
                    round(top * scale_y, 1),
                    round(width * scale_x, 1),
                    round(height * scale_y, 1),
                ),
                area_px=round(area_px, 1),
                area_mm2=None if mm_per_px is None else round(area_px * mm_per_px**2, 4),
                peak=float(defect_map[window][inside].max()),
            )
        )
    regions.sort(key=lambda region: -region.peak)
    return tuple(regions[:MAX_REGIONS])
