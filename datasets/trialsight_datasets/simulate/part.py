"""One product as geometry: distances to its edges, what it reflects under its lamps. The same in every frame.

The usual one is a machined plate with four drilled holes, a bore, a slot and an engraved mark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight_datasets.simulate.product import BAR, PLATE, STEEL, Hole, Lamp, Material, Product

Floats = NDArray[np.float32]
FIXTURE, DEPTH = 0.022, 0.012  # linear reflectance: the fixture around the part, what a hole shows


@dataclass(frozen=True)
class Surface:
    """What the lamps and the camera see of one part, (S, S) float32 each.

    `reflectance`: linear, 0..1. `metal`: how much of the pixel is the part's, 0..1. `inside_px`: distance to its
    nearest edge, negative where there is none. `outline_px`: the same for the outline alone.
    """

    reflectance: Floats
    metal: Floats
    inside_px: Floats
    outline_px: Floats


class Part:
    """The product at `size_px`, the side of the square frame; surfaces are built once and kept."""

    def __init__(
        self, size_px: int, product: Product = PLATE, material: Material = STEEL, lamps: Sequence[Lamp] = BAR
    ) -> None:
        self.size_px, self.product, self.material, self.lamps = size_px, product, material, tuple(lamps)
        self._lacking: dict[str, Surface] = {}

    @cached_property
    def complete(self) -> Surface:
        return self._surface(tuple(self.product.holes.values()))

    def without(self, hole: str) -> Surface:
        """The part on which `hole` was never drilled."""
        if hole not in self._lacking:
            others = tuple(one for name, one in self.product.holes.items() if name != hole)
            self._lacking[hole] = self._surface(others)
        return self._lacking[hole]

    def hole_px(self, name: str) -> tuple[float, float, float]:
        """Centre x, y and radius."""
        hole = self.product.holes[name]
        return self._centre + hole.x * self.size_px, self._centre + hole.y * self.size_px, hole.radius * self.size_px

    @cached_property
    def toward(self) -> tuple[float, float]:
        """Towards the strongest bar, image axes; (0, 0) where light comes from all around."""
        bars = [lamp for lamp in self.lamps if lamp.kind == "bar"]
        return max(bars, key=lambda lamp: lamp.strength).toward if bars else (0.0, 0.0)

    @property
    def _centre(self) -> float:
        return (self.size_px - 1) / 2

    @cached_property
    def _grid(self) -> tuple[Floats, Floats]:
        axis = np.asarray((np.arange(self.size_px) - self._centre) / self.size_px, np.float32)
        return axis[np.newaxis, :], axis[:, np.newaxis]

    def _surface(self, holes: Sequence[Hole]) -> Surface:
        size, product = self.size_px, self.product
        x, y = self._grid
        outline_px, plate_px = self._plate_px()
        openings = [np.hypot(x - hole.x, y - hole.y) - hole.radius for hole in holes]
        openings += [_capsule(x, y, slot.x0, slot.y0, slot.x1, slot.y1, slot.radius) for slot in product.slots]
        inside_px = np.minimum(plate_px, np.minimum.reduce(openings) * size) if openings else plate_px

        chamfer_px = product.chamfer * size
        height = np.clip(inside_px / chamfer_px, 0, 1) * chamfer_px - self._text(ink=False) * 0.004 * size
        slope_y, slope_x = np.gradient(height)
        metal = np.clip(inside_px + 0.5, 0, 1)
        around = self._fixture(outline_px)
        face = self.material.reflectance * self._facing(slope_x, slope_y)
        if any(mark.ink for mark in product.engravings):
            face = face * (1 - 0.88 * self._text(ink=True))
        reflectance = metal * face + (1 - metal) * around
        return Surface(*(np.ascontiguousarray(a, np.float32) for a in (reflectance, metal, inside_px, outline_px)))

    def _plate_px(self) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Distance inwards from the outline, and from the outline with what the SVG cuts out of it."""
        product, size = self.product, self.size_px
        if product.svg is not None:
            from trialsight_datasets.simulate.svg import distances_px

            return distances_px(product.svg, size, product.width, product.height)
        x, y = self._grid
        corner = product.corner
        qx, qy = np.abs(x) - (product.width / 2 - corner), np.abs(y) - (product.height / 2 - corner)
        plate = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0)) + np.minimum(np.maximum(qx, qy), 0) - corner
        return -plate * size, -plate * size

    def _facing(self, slope_x: NDArray[np.floating], slope_y: NDArray[np.floating]) -> NDArray[np.floating]:
        """How a face that is tilted so takes the lamps' light; 1 is the flat top."""
        total = sum(lamp.strength for lamp in self.lamps)
        parts = [_facing(lamp, slope_x, slope_y) for lamp in self.lamps]
        if len(parts) == 1:
            return parts[0]
        weighted = [lamp.strength / total * part for lamp, part in zip(self.lamps, parts, strict=True)]
        return np.asarray(np.sum(weighted, axis=0), np.float64)

    def _fixture(self, outline_px: NDArray[np.floating]) -> NDArray[np.floating]:
        """The matt black fixture with the part's shadow; in a hole, the dark and a rim of light on its far wall."""
        size = self.size_px
        plate = (outline_px > 0).astype(np.float32)
        away_x, away_y = (0.014, 0.018) if self.toward == BAR[0].toward else np.multiply(self.toward, -0.023)
        shift = np.array([[1, 0, away_x * size], [0, 1, away_y * size]], np.float32)
        shadow = cv2.GaussianBlur(cv2.warpAffine(plate, shift, (size, size)), (0, 0), 0.014 * size)
        fixture = FIXTURE * (1 - 0.65 * shadow)
        wall = np.zeros((size, size), np.float32)
        x, y = self._grid
        for hole in self.product.holes.values():
            # 1 on the side the lamp shines into
            toward = ((x - hole.x) * -self.toward[0] + (y - hole.y) * -self.toward[1]) / hole.radius
            reach = np.hypot(x - hole.x, y - hole.y) / hole.radius
            wall += np.where(reach < 1.05, 0.085 * np.clip(toward, 0, 1) ** 2 * np.clip((reach - 0.72) / 0.28, 0, 1), 0)
        return np.where(outline_px > 1, DEPTH + wall, fixture)

    def _text(self, *, ink: bool) -> Floats:
        """(S, S) 0..1, how deep marks are cut, or how much ink there is; drawn four times larger and averaged down."""
        fine = 4 * self.size_px
        canvas = np.zeros((fine, fine), np.uint8)
        for mark in (one for one in self.product.engravings if one.ink is ink):
            pen = max(1, round(0.0065 / 0.038 * mark.height * fine))
            scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, round(mark.height * fine), pen)
            at = (round((0.5 + mark.x) * fine), round((0.5 + mark.y) * fine))
            cv2.putText(canvas, mark.text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, pen, cv2.LINE_AA)
        small = cv2.resize(canvas, (self.size_px, self.size_px), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32) / np.float32(255)


def _facing(lamp: Lamp, slope_x: NDArray[np.floating], slope_y: NDArray[np.floating]) -> NDArray[np.floating]:
    if lamp.kind == "bar":
        # A face that rises away from the lamp looks at it; a chamfer goes from dark to glint.
        return np.asarray(np.clip(1 - 1.05 * (slope_x * lamp.toward[0] + slope_y * lamp.toward[1]), 0.25, 2.1))
    steep = np.hypot(slope_x, slope_y)
    return np.asarray(np.clip(1 + 0.9 * steep, 1, 2.2) if lamp.kind == "ring" else np.clip(1 - 0.22 * steep, 0.5, 1))


def _capsule(x: Floats, y: Floats, x0: float, y0: float, x1: float, y1: float, radius: float) -> Floats:
    """Signed distance to a slot from (x0, y0) to (x1, y1)."""
    dx, dy = x1 - x0, y1 - y0
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
    return np.asarray(np.hypot(x - x0 - along * dx, y - y0 - along * dy) - radius, np.float32)
