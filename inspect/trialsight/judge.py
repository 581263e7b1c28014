"""The defect map of a prepared frame to a ruling: mask, regions, rules, and back to the frame as it came."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.card import Card
from trialsight.geometry.register import Pose
from trialsight.health import Health, find_fault
from trialsight.naming import ClassMap
from trialsight.prepare import Prepared
from trialsight.reason import Reason
from trialsight.regions import Region, find_regions
from trialsight.rules import Ruling, rule_on
from trialsight.verdict import Thresholds


@dataclass(frozen=True)
class Judged:
    """`frame_map`: (h, w) float32 over the whole frame as it came. `score`: the highest where defects count."""

    ruling: Ruling
    score: float
    regions: tuple[Region, ...]
    frame_map: NDArray[np.float32]


class Judge:
    """One card's judging of maps of one shape (h, w).

    The score is taken to be the map's maximum, as every detector of this project makes it: where a mask hides part of
    the map, the maximum of the rest takes its place. Raises ValueError when the mask leaves nothing.
    """

    def __init__(self, card: Card, map_shape: tuple[int, int]) -> None:
        self._preparation = card.preparation
        self._judging = card.judging
        self._mask: NDArray[np.bool_] | None = None
        size = (card.preparation.frame_width_px, card.preparation.frame_height_px)
        if size[0] is not None and size[1] is not None:  # shapes need a fixed frame size
            self._mask = card.judging.mask(map_shape, card.preparation.crop_px or (0, 0, size[0], size[1]))

    def unfit(self, prepared: Prepared, health: Health) -> Reason | None:
        """Why this picture, of which `health` was measured, must not be judged, or None."""
        if prepared.fault is not None or self._judging.health is None:
            return prepared.fault
        return find_fault(health, self._judging.health)

    def unlike(self, embedding: NDArray[np.float32] | None) -> Reason | None:
        """Why this frame shows another product, or None; `embedding` as the graph gives it."""
        if self._judging.likeness is None:
            return None
        if embedding is None:
            return Reason("no_embedding")
        return self._judging.likeness.fault(embedding)

    def __call__(
        self,
        defect_map: NDArray[np.float32],
        score: float,
        prepared: Prepared,
        thresholds: Thresholds,
        class_map: NDArray[np.float32] | None = None,
    ) -> Judged:
        judging, size = self._judging, prepared.frame_size_px
        window = self._preparation.crop_px or (0, 0, *size)
        if self._mask is not None:
            score = float(defect_map[self._mask].max())
            defect_map = np.where(self._mask, defect_map, np.float32(0))
        classes = None
        if judging.naming is not None and class_map is not None:
            classes = ClassMap(judging.naming, class_map, defect_map)
        regions = find_regions(defect_map, thresholds.region, window, judging.scale, judging.morphology, classes)
        ruling = rule_on(score, regions, thresholds, judging.rules, judging.zones)
        if prepared.pose is not None:
            regions = tuple(_moved(region, prepared.pose, size[0]) for region in regions)
        if prepared.pose is not None or self._preparation.crop_px is not None:
            defect_map = _over_frame(defect_map, window, size, prepared.pose)
        return Judged(ruling, score, regions, defect_map)


def _moved(region: Region, pose: Pose, width_px: int) -> Region:
    """From the reference to where the part lies in the frame; lengths and areas stay."""
    contour = pose.to_frame(np.array(region.contour), width_px)
    (center,) = pose.to_frame(np.array([region.center_px]), width_px).tolist()
    x, y, width, height = region.box_px
    corners = pose.to_frame(np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)]), width_px)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return replace(
        region,
        contour=tuple((round(px, 1), round(py, 1)) for px, py in contour.tolist()),
        center_px=(round(center[0], 1), round(center[1], 1)),
        box_px=(round(low[0], 1), round(low[1], 1), round(high[0] - low[0], 1), round(high[1] - low[1], 1)),
        angle_deg=round((region.angle_deg + pose.rotation_deg) % 180, 1),
    )


def _over_frame(
    defect_map: NDArray[np.float32],
    window_px: tuple[float, float, float, float],
    size: tuple[int, int],
    pose: Pose | None,
) -> NDArray[np.float32]:
    """The map of a crop, laid over the whole frame at (nearly) its own resolution; 0 beyond the crop."""
    left, top, width, height = window_px
    step = np.array([width / defect_map.shape[1], height / defect_map.shape[0]])
    canvas = (max(1, round(size[0] / step[0])), max(1, round(size[1] / step[1])))
    canvas_step = np.array([size[0] / canvas[0], size[1] / canvas[1]])

    def to_canvas(points: NDArray[np.float64]) -> NDArray[np.float64]:
        in_frame = (points + 0.5) * step + (left, top)
        if pose is not None:
            in_frame = pose.to_frame(in_frame, size[0])
        return np.asarray(in_frame / canvas_step - 0.5, np.float64)

    unit = np.array([(0, 0), (1, 0), (0, 1)], np.float64)
    matrix = cv2.getAffineTransform(unit.astype(np.float32), to_canvas(unit).astype(np.float32))
    return np.asarray(cv2.warpAffine(defect_map, matrix, canvas, flags=cv2.INTER_LINEAR), np.float32)
