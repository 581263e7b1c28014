"""Shapes that a person draws in a frame: regions of interest, zones to ignore, zones that rules name."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """One of: a rectangle `rect` (x, y, width, height), a `polygon` of at least three (x, y), both in frame pixels, or
    a `mask`, a picture of the frame's size in which what isn't black belongs to the shape (a PNG, in base64; in a
    recipe's file its path)."""

    rect: tuple[float, float, float, float] | None = None
    polygon: tuple[Point, ...] | None = None
    mask: str | None = None

    def __post_init__(self) -> None:
        if sum(given is not None for given in (self.rect, self.polygon, self.mask)) != 1:
            raise ValueError("give rect, polygon or mask, one of the three")
        if self.rect is not None and (self.rect[2] <= 0 or self.rect[3] <= 0):
            raise ValueError(f"rect needs a width and a height above 0, got {self.rect}")
        if self.polygon is not None and len(self.polygon) < 3:
            raise ValueError(f"polygon needs at least three points, got {len(self.polygon)}")
        if self.mask is not None and not self._pixels().any():
            raise ValueError("mask is black all over")

    @property
    def outline(self) -> NDArray[np.float64]:
        """(N, 2) corners in frame pixels; of a mask, those of its box."""
        if self.polygon is not None:
            return np.array(self.polygon, dtype=np.float64)
        x, y, width, height = self.rect or self.box
        return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], dtype=np.float64)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x, y, width, height of the upright rectangle around it."""
        if self.mask is not None:
            ys, xs = self._pixels().nonzero()
            return float(xs.min()), float(ys.min()), float(np.ptp(xs) + 1), float(np.ptp(ys) + 1)
        low, high = self.outline.min(axis=0), self.outline.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies inside or on the outline."""
        if self.mask is not None:
            pixels = self._pixels()
            inside = 0 <= x < pixels.shape[1] and 0 <= y < pixels.shape[0]
            return inside and bool(pixels[int(y), int(x)])
        return cv2.pointPolygonTest(self.outline.astype(np.float32), (x, y), measureDist=False) >= 0

    def contains(self, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of many points, given as two arrays of one shape, lie inside."""
        if self.mask is None:
            return _inside(self.outline, xs, ys)
        pixels = self._pixels()
        columns, rows = xs.astype(int), ys.astype(int)
        within = (columns >= 0) & (columns < pixels.shape[1]) & (rows >= 0) & (rows < pixels.shape[0])
        found = np.zeros(xs.shape, dtype=bool)
        found[within] = pixels[rows[within], columns[within]]
        return found

    def _pixels(self) -> NDArray[np.bool_]:
        assert self.mask is not None
        try:
            data = np.frombuffer(base64.b64decode(self.mask, validate=True), np.uint8)
            image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
        except ValueError:
            image = None
        if image is None:
            raise ValueError("mask is no PNG in base64")
        return np.asarray(image > 0)


def rasterise(shape: Shape, size: tuple[int, int], window_px: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    """(h, w) bool mask of a shape on a grid of `size` (width, height) that covers a window x, y, width, height.

    A cell belongs to the shape when its centre does.
    """
    left, top, width, height = window_px
    xs = left + (np.arange(size[0]) + 0.5) * width / size[0]
    ys = top + (np.arange(size[1]) + 0.5) * height / size[1]
    return shape.contains(*np.meshgrid(xs, ys))


def _inside(outline: NDArray[np.float64], xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Even-odd rule: a point is inside when a ray to its right crosses the outline an odd number of times."""
    inside = np.zeros(xs.shape, dtype=bool)
    for (x1, y1), (x2, y2) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if y1 != y2:
            crosses = (y1 > ys) != (y2 > ys)
            inside ^= crosses & (xs < (x2 - x1) * (ys - y1) / (y2 - y1) + x1)
    return inside
