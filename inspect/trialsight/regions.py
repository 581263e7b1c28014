"""Connected defects in a defect map, measured in the frame's own pixels, and in mm where the recipe has a scale."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsight.geometry.scale import Scale
from trialsight.naming import ClassMap

MAX_REGIONS = 64


@dataclass(frozen=True)
class Morphology:
    """What is done to the thresholded map before it is cut into regions, in pixels of the map.

    `close_px`: gaps up to this wide are bridged, so that a scratch seen in pieces is one region.
    `min_area_px`: regions with fewer pixels of the map are dropped as speckle, unless nothing else is left to show
    what made the score (the strongest one always stays).
    `outline`: each region's own threshold, as the share of the way from the one that all begin at to its peak. A strong
    defect then doesn't take the blur around it along. None: 0, or in a recipe what labelled masks show is best.
    """

    close_px: int = 0
    min_area_px: int = 1
    outline: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.close_px <= 64:
            raise ValueError(f"close_px must lie between 0 and 64, got {self.close_px}")
        if self.min_area_px < 1:
            raise ValueError(f"min_area_px must be at least 1, got {self.min_area_px}")
        if self.outline is not None and not 0 <= self.outline < 1:
            raise ValueError(f"outline must lie from 0 to below 1, got {self.outline}")


@dataclass(frozen=True)
class Region:
    """One connected defect. Coordinates are (x, y) in frame pixels, origin at the top left corner.

    `contour`: outer outline, one point a row. `box_px`: x, y, width, height, upright. `length_px`, `width_px`: sides of
    the smallest turned rectangle, the longer first; `angle_deg`: direction of the longer, 0..180, clockwise from the
    x axis. `peak`, `mean`: scores inside. The `_mm` values are None without a scale; `center_mm` is in the scale's own
    plane, whose origin is a homography's, else the frame's top left corner. `defect_class` None: the model names no
    classes, or isn't sure of this one's.
    """

    contour: tuple[tuple[float, float], ...]
    box_px: tuple[float, float, float, float]
    center_px: tuple[float, float]
    area_px: float
    length_px: float
    width_px: float
    angle_deg: float
    peak: float
    mean: float
    area_mm2: float | None = None
    length_mm: float | None = None
    width_mm: float | None = None
    center_mm: tuple[float, float] | None = None
    defect_class: str | None = None

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))  # nothing in it can change, so nothing needs the copy that `asdict` would make


def find_regions(
    defect_map: NDArray[np.float32],
    threshold: float,
    window_px: tuple[float, float, float, float],
    scale: Scale | None = None,
    morphology: Morphology | None = None,
    classes: ClassMap | None = None,
) -> tuple[Region, ...]:
    """Regions whose scores reach `threshold`, strongest first, at most 64 (8-connected, at map resolution).

    `window_px` (x, y, width, height) is the part of the frame that the map covers; a pixel of the map stands for a
    rectangle of frame pixels.
    """
    grid = Grid(
        origin=(window_px[0], window_px[1]),
        step=(window_px[2] / defect_map.shape[1], window_px[3] / defect_map.shape[0]),
    )
    pieces = _pieces(defect_map, threshold, morphology or Morphology())[:MAX_REGIONS]
    regions = tuple(_measure(one, defect_map[one.window], grid, scale) for one in pieces)
    if classes is None:
        return regions
    return tuple(
        replace(region, defect_class=classes.name(one.corner, one.inside))
        for region, one in zip(regions, pieces, strict=True)
    )


def region_mask(defect_map: NDArray[np.float32], threshold: float, morphology: Morphology) -> NDArray[np.bool_]:
    """(h, w) True where `find_regions` finds one."""
    mask = np.zeros(defect_map.shape, bool)
    for one in _pieces(defect_map, threshold, morphology):
        mask[one.window] |= one.inside
    return mask


@dataclass(frozen=True)
class _Piece:
    """A region in the map: the (x, y) of its box, the box, which of the pixels in it are its own, how many, and the
    (x, y) of their centre, a pixel's own being whole numbers."""

    peak: float
    corner: tuple[int, int]
    window: tuple[slice, slice]
    inside: NDArray[np.bool_]
    pixels: int
    center: tuple[float, float]


def _pieces(defect_map: NDArray[np.float32], threshold: float, morphology: Morphology) -> list[_Piece]:
    """Strongest first, without speckle."""
    mask = _closed(defect_map >= threshold, morphology.close_px).view(np.uint8)
    x0, y0, columns, rows = cv2.boundingRect(mask)
    if not columns:
        return []
    # Labels cost by the pixel, and what is marked is mostly small.
    _, labels, stats, centers = cv2.connectedComponentsWithStats(
        mask[y0 : y0 + rows, x0 : x0 + columns], connectivity=8
    )
    found = []
    for label, ((left, top, width, height, pixels), (x, y)) in enumerate(
        zip(stats.tolist(), centers.tolist(), strict=True)
    ):
        if label == 0:  # what is not marked
            continue
        inside = labels[top : top + height, left : left + width] == label
        left, top = x0 + left, y0 + top
        window = slice(top, top + height), slice(left, left + width)
        peak = float(defect_map[window][inside].max())
        found.append(_Piece(peak, (left, top), window, inside, pixels, (x0 + x, y0 + y)))
    found.sort(key=lambda one: -one.peak)
    kept = [one for rank, one in enumerate(found) if rank == 0 or one.pixels >= morphology.min_area_px]
    if not morphology.outline:
        return kept
    return [_outlined(one, defect_map[one.window], threshold, morphology) for one in kept]


def _outlined(piece: _Piece, scores: NDArray[np.float32], threshold: float, morphology: Morphology) -> _Piece:
    level = threshold + (morphology.outline or 0) * (piece.peak - threshold)
    inside = _closed(piece.inside & (scores >= level), morphology.close_px) & piece.inside
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    tight = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    left, top = piece.corner[0] + int(columns[0]), piece.corner[1] + int(rows[0])
    inside = inside[tight]
    window = np.s_[top : top + inside.shape[0], left : left + inside.shape[1]]
    moments = cv2.moments(inside.view(np.uint8), binaryImage=True)
    center = left + moments["m10"] / moments["m00"], top + moments["m01"] / moments["m00"]
    return _Piece(piece.peak, (left, top), window, inside, round(moments["m00"]), center)


def _closed(mask: NDArray[np.bool_], close_px: int) -> NDArray[np.bool_]:
    if not close_px:
        return mask
    side = close_px + 1
    padded = np.pad(mask.astype(np.uint8), side)  # so that closing doesn't glue regions to the border
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    return np.asarray(closed[side:-side, side:-side] > 0)


@dataclass(frozen=True)
class Grid:
    """Where the map lies in the frame: its top left corner, and the frame pixels that a map pixel stands for."""

    origin: tuple[float, float]
    step: tuple[float, float]

    @property
    def cell_px(self) -> float:
        """Frame pixels in one map pixel (an area)."""
        return self.step[0] * self.step[1]

    def x(self, column: float) -> float:
        """Of a position in the map, a pixel's centre at +0.5, in frame pixels."""
        return column * self.step[0] + self.origin[0]

    def y(self, row: float) -> float:
        return row * self.step[1] + self.origin[1]

    def to_frame(self, points: ArrayLike) -> NDArray[np.float64]:
        """(N, 2) map positions, a pixel's centre at +0.5, to frame pixels."""
        return np.asarray(points, np.float64) * self.step + self.origin


def _measure(piece: _Piece, scores: NDArray[np.float32], grid: Grid, scale: Scale | None) -> Region:
    """`scores`: of the piece's window."""
    (left, top), (rows, columns) = piece.corner, piece.inside.shape
    outlines, _ = cv2.findContours(
        piece.inside.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=piece.corner
    )
    outline = max(outlines, key=len)
    centres_px = grid.to_frame(outline[:, 0] + 0.5)
    center_x, center_y = grid.x(piece.center[0] + 0.5), grid.y(piece.center[1] + 0.5)
    area_px = piece.pixels * grid.cell_px
    length_px, width_px, angle = _sides(centres_px, grid.cell_px**0.5)
    area_mm2 = length_mm = width_mm = center_mm = None
    if scale is not None:
        pixel_mm2 = scale.mm2_per_px(center_x, center_y)
        long, short, _ = _sides(scale.to_mm(centres_px), (grid.cell_px * pixel_mm2) ** 0.5)
        area_mm2, length_mm, width_mm = round(area_px * pixel_mm2, 4), round(long, 4), round(short, 4)
        ((x_mm, y_mm),) = scale.to_mm(np.array([(center_x, center_y)])).tolist()
        center_mm = (round(x_mm, 4), round(y_mm, 4))
    corners = grid.to_frame(cv2.approxPolyDP(outline, 0.5, closed=True)[:, 0] + 0.5)
    return Region(
        contour=tuple(map(tuple, corners.round(1).tolist())),
        box_px=(
            round(grid.x(left), 1),
            round(grid.y(top), 1),
            round(columns * grid.step[0], 1),
            round(rows * grid.step[1], 1),
        ),
        center_px=(round(center_x, 1), round(center_y, 1)),
        area_px=round(area_px, 1),
        length_px=round(length_px, 1),
        width_px=round(width_px, 1),
        angle_deg=round(angle, 1),
        peak=piece.peak,
        mean=float(scores[piece.inside].sum()) / piece.pixels,
        area_mm2=area_mm2,
        length_mm=length_mm,
        width_mm=width_mm,
        center_mm=center_mm,
    )


def _sides(centres: NDArray[np.float64], cell: float) -> tuple[float, float, float]:
    """Longer side, shorter side and direction of the longer of the smallest rectangle around cells.

    The rectangle around the cells' centres is one cell too small each way, which is put back: exact for regions along
    the axes, and within half a cell for turned ones.
    """
    (_, (width, height), angle) = cv2.minAreaRect(centres.astype(np.float32))
    if height > width:
        width, height, angle = height, width, angle + 90
    return width + cell, height + cell, angle % 180
