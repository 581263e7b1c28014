"""A part's outline and cut-outs from an SVG drawing, as distances to the nearest edge."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight import TrialsightError
from trialsight_datasets.simulate.part import Floats

FINE = 4  # times finer than the frame, where edges are drawn
CURVE_POINTS = 24


def distances_px(file: str, size_px: int, width: float, height: float) -> tuple[Floats, Floats]:
    """(S, S) float32 distances inwards, in px of the frame: from the outermost outline, and from every edge.

    The drawing is centred and fitted into `width` x `height` (fractions of the frame's side); a closed path within
    another is cut out of it. Raises TrialsightError for a file that holds no closed path.
    """
    polygons = read_polygons(Path(file))
    points = np.concatenate(polygons)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.maximum(high - low, 1e-9)
    scale = min(width / extent[0], height / extent[1])
    fine = FINE * size_px
    drawn = [((one - (low + high) / 2) * scale + 0.5) * fine for one in polygons]
    shapes = [np.round(one * 16).astype(np.int32).reshape(-1, 1, 2) for one in drawn]
    every = np.zeros((fine, fine), np.uint8)
    cv2.fillPoly(every, shapes, 1, shift=4)  # even-odd: what lies within another is cut out
    outer = np.zeros_like(every)
    cv2.drawContours(outer, cv2.findContours(every, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], -1, 1, cv2.FILLED)
    return _signed(outer, size_px), _signed(every, size_px)


def read_polygons(path: Path) -> list[NDArray[np.float64]]:
    """The closed paths and shapes of a drawing, (n, 2) each, in its own units."""
    from svgelements import SVG, Shape
    from svgelements import Path as Curve

    try:
        drawing = SVG.parse(str(path))
    except (OSError, ValueError, SyntaxError) as error:
        raise TrialsightError(f"{path} can't be read as an SVG drawing: {error}", "save it as plain SVG") from error
    polygons = []
    for shape in drawing.elements(lambda one: isinstance(one, Shape)):
        for piece in Curve(shape).as_subpaths():
            points = _points(Curve(piece))
            if len(points) >= 3:
                polygons.append(np.array(points, np.float64))
    if not polygons:
        raise TrialsightError(f"{path} holds no closed path", "draw the part's outline as one, or as a shape")
    return polygons


def _points(curve: "object") -> list[tuple[float, float]]:
    from svgelements import Close, Line, Move

    points: list[tuple[float, float]] = []
    for segment in curve:  # type: ignore[attr-defined]
        if isinstance(segment, Move):
            continue
        steps = [1.0] if isinstance(segment, Line | Close) else np.linspace(0, 1, CURVE_POINTS + 1)[1:].tolist()
        if not points and segment.start is not None:
            points.append((segment.start.x, segment.start.y))
        points += [(at.x, at.y) for at in (segment.point(step) for step in steps) if at is not None]
    return points


def _signed(mask: NDArray[np.uint8], size_px: int) -> Floats:
    """Positive within; between pixels at the edge."""
    inside, outside = (cv2.distanceTransform(one, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for one in (mask, 1 - mask))
    signed = np.where(mask > 0, inside - 0.5, 0.5 - outside).astype(np.float32) / FINE
    return np.asarray(cv2.resize(signed, (size_px, size_px), interpolation=cv2.INTER_AREA), np.float32)
