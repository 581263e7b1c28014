"""The simulated product: a machined plate with four drilled holes, a bore, a slot and an engraved mark.

Everything here is analytic geometry in the part's own coordinates and does not change from frame to frame.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Lengths as fractions of the frame's side; the part's centre is the origin.
HALF_WIDTH, HALF_HEIGHT, CORNER = 0.385, 0.315, 0.075
CHAMFER = 0.012
HOLES = {
    "hole_top_left": (-0.285, -0.215, 0.042),
    "hole_top_right": (0.285, -0.215, 0.042),
    "hole_bottom_left": (-0.285, 0.215, 0.042),
    "hole_bottom_right": (0.285, 0.215, 0.042),
    "bore": (-0.05, 0.0, 0.105),
}
DRILLED = tuple(name for name in HOLES if name != "bore")
SLOT = (0.225, -0.085, 0.225, 0.085, 0.03)  # x0, y0, x1, y1, radius
MARK, MARK_AT, MARK_HEIGHT = "TS-204", (-0.14, 0.255), 0.038

METAL, FIXTURE, DEPTH = 0.36, 0.022, 0.012  # linear reflectance: metal, the fixture around it, what a hole shows
LIGHT = (-0.62, -0.78)  # unit vector towards the lamp, image axes: it stands at the upper left


@dataclass(frozen=True)
class Surface:
    """What the lamp and the camera see of one part, (S, S) float32 each.

    `reflectance`: linear, 0..1. `metal`: how much of the pixel is metal, 0..1. `inside_px`: distance to the nearest
    edge of the metal, negative where there is none. `outline_px`: the same for the plate's outline alone.
    """

    reflectance: Floats
    metal: Floats
    inside_px: Floats
    outline_px: Floats


class Part:
    """The plate at `size_px`, the side of the square frame; surfaces are built once and kept."""

    def __init__(self, size_px: int) -> None:
        self.size_px = size_px
        self._lacking: dict[str, Surface] = {}

    @cached_property
    def complete(self) -> Surface:
        return self._surface(tuple(HOLES))

    def without(self, hole: str) -> Surface:
        """The plate on which `hole` was never drilled."""
        if hole not in self._lacking:
            self._lacking[hole] = self._surface(tuple(name for name in HOLES if name != hole))
        return self._lacking[hole]

    def hole_px(self, name: str) -> tuple[float, float, float]:
        """Centre x, y and radius."""
        x, y, radius = HOLES[name]
        return self._centre + x * self.size_px, self._centre + y * self.size_px, radius * self.size_px

    @property
    def _centre(self) -> float:
        return (self.size_px - 1) / 2

    @cached_property
    def _grid(self) -> tuple[Floats, Floats]:
        axis = np.asarray((np.arange(self.size_px) - self._centre) / self.size_px, np.float32)
        return axis[np.newaxis, :], axis[:, np.newaxis]

    def _surface(self, holes: tuple[str, ...]) -> Surface:
        size = self.size_px
        x, y = self._grid
        qx, qy = np.abs(x) - (HALF_WIDTH - CORNER), np.abs(y) - (HALF_HEIGHT - CORNER)
        plate = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0)) + np.minimum(np.maximum(qx, qy), 0) - CORNER
        openings = [np.hypot(x - HOLES[name][0], y - HOLES[name][1]) - HOLES[name][2] for name in holes]
        openings.append(_capsule(x, y, *SLOT))
        outline_px = -plate * size
        inside_px = np.minimum(outline_px, np.minimum.reduce(openings) * size)

        chamfer_px = CHAMFER * size
        height = np.clip(inside_px / chamfer_px, 0, 1) * chamfer_px - self._engraving() * 0.004 * size
        slope_y, slope_x = np.gradient(height)
        # A face that rises away from the lamp looks at it. 1 is the flat top; a chamfer goes from dark to glint.
        facing = np.clip(1 - 1.05 * (slope_x * LIGHT[0] + slope_y * LIGHT[1]), 0.25, 2.1)
        metal = np.clip(inside_px + 0.5, 0, 1)
        around = self._fixture(outline_px)
        reflectance = metal * METAL * facing + (1 - metal) * around
        return Surface(*(np.ascontiguousarray(a, np.float32) for a in (reflectance, metal, inside_px, outline_px)))

    def _fixture(self, outline_px: NDArray[np.floating]) -> NDArray[np.floating]:
        """The matt black fixture with the plate's shadow; in a hole, the dark and a rim of light on its far wall."""
        size = self.size_px
        plate = (outline_px > 0).astype(np.float32)
        shift = np.array([[1, 0, 0.014 * size], [0, 1, 0.018 * size]], np.float32)
        shadow = cv2.GaussianBlur(cv2.warpAffine(plate, shift, (size, size)), (0, 0), 0.014 * size)
        fixture = FIXTURE * (1 - 0.65 * shadow)
        wall = np.zeros((size, size), np.float32)
        x, y = self._grid
        for cx, cy, radius in HOLES.values():
            toward = ((x - cx) * -LIGHT[0] + (y - cy) * -LIGHT[1]) / radius  # 1 on the side the lamp shines into
            reach = np.hypot(x - cx, y - cy) / radius
            wall += np.where(reach < 1.05, 0.085 * np.clip(toward, 0, 1) ** 2 * np.clip((reach - 0.72) / 0.28, 0, 1), 0)
        return np.where(outline_px > 1, DEPTH + wall, fixture)

    def _engraving(self) -> Floats:
        """(S, S) 0..1, how deep the mark is cut; drawn four times larger and averaged down."""
        fine = 4 * self.size_px
        canvas = np.zeros((fine, fine), np.uint8)
        pen = max(1, round(0.0065 * fine))
        scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, round(MARK_HEIGHT * fine), pen)
        at = (round((0.5 + MARK_AT[0]) * fine), round((0.5 + MARK_AT[1]) * fine))
        cv2.putText(canvas, MARK, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, pen, cv2.LINE_AA)
        small = cv2.resize(canvas, (self.size_px, self.size_px), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32) / np.float32(255)


def _capsule(x: Floats, y: Floats, x0: float, y0: float, x1: float, y1: float, radius: float) -> Floats:
    """Signed distance to a slot from (x0, y0) to (x1, y1)."""
    dx, dy = x1 - x0, y1 - y0
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
    return np.asarray(np.hypot(x - x0 - along * dx, y - y0 - along * dy) - radius, np.float32)
