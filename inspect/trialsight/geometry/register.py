"""Undo a part's shift and turn against a golden reference, or say that it lies too far off to be judged.

Enhanced correlation coefficient: Evangelidis & Psarakis, PAMI 2008, through OpenCV. A coarse phase correlation over
candidate rotations starts it, since ECC alone finds only what is near.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.reason import Reason

COARSE_SIDE, FINE_SIDE = 256, 768  # longer sides of the pictures on which the pose is sought
MIN_CORRELATION = 0.5  # where a recipe names none and nothing was learned; unrelated pictures stay below
PRECISION, PRECISION_DEG = 0.001, 0.05  # of the estimate; a part right on the limit is within it


@dataclass(frozen=True)
class Registration:
    """Limits beyond which a frame is `misaligned`: shift as a share of the frame's longer side, turn in degrees.

    `reference`: path of the golden picture; None takes the first good training part. `min_correlation`: of the aligned
    frame with the reference; None lets training learn it, since cookies vary more than machined parts.
    """

    max_shift: float = 0.05
    max_rotation_deg: float = 5.0
    reference: str | None = None
    min_correlation: float | None = None

    def __post_init__(self) -> None:
        if self.min_correlation is not None and not 0 < self.min_correlation < 1:
            raise ValueError(f"min_correlation must lie in (0, 1), got {self.min_correlation}")
        if not 0 < self.max_shift <= 0.5:
            raise ValueError(f"max_shift must lie in (0, 0.5], got {self.max_shift}")
        if not 0 <= self.max_rotation_deg <= 45:
            raise ValueError(f"max_rotation_deg must lie in [0, 45], got {self.max_rotation_deg}")


@dataclass(frozen=True)
class Pose:
    """How the part lies against the reference.

    `matrix` (2, 3) maps a point of the reference to the frame, in units of the frame's width and with pixel areas, not
    centres, as the grid (the frame's top left corner is 0, 0). `shift`: of the frame's centre, in the same unit.
    """

    matrix: NDArray[np.float64]
    shift: float
    rotation_deg: float
    correlation: float

    def fault(self, limits: Registration, frame_size_px: tuple[int, int]) -> Reason | None:
        """Why the frame can't be judged, or None."""
        least = limits.min_correlation or MIN_CORRELATION
        if not self.correlation >= least:
            return Reason("not_found", value=self.correlation, limit=least)
        width, longer = frame_size_px[0], max(frame_size_px)
        if self.shift * width > (limits.max_shift + PRECISION) * longer:
            allowed = limits.max_shift * longer
            return Reason("shifted", value=round(self.shift * width), limit=round(allowed))
        if abs(self.rotation_deg) > limits.max_rotation_deg + PRECISION_DEG:
            return Reason("turned", value=round(self.rotation_deg, 1), limit=limits.max_rotation_deg)
        return None

    def to_frame(self, points_px: NDArray[np.float64], width_px: float) -> NDArray[np.float64]:
        """(N, 2) points of the reference to the frame, both in pixels of a frame that is `width_px` wide."""
        return points_px @ self.matrix[:, :2].T + self.matrix[:, 2] * width_px

    def undo(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The (H, W, 3) frame as it would look with the part where the reference has it; edges are repeated."""
        size = (frame.shape[1], frame.shape[0])
        matrix = _on_centres(self.matrix, size[0])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(frame, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return warped.astype(np.uint8, copy=False)


class Aligner:
    """Finds poses against one reference, an (H, W, 3) RGB picture; frames may have another size of the same aspect."""

    def __init__(self, reference: NDArray[np.uint8], limits: Registration) -> None:
        self.limits = limits
        width, height = reference.shape[1], reference.shape[0]
        self._pyramid = []
        for side in (COARSE_SIDE, FINE_SIDE):
            factor = min(1.0, side / max(width, height))
            self._pyramid.append(_standard(_gray(reference, (round(width * factor), round(height * factor)))))
        low, high = np.quantile(self._pyramid[0], (0.001, 0.999))
        self._range = (float(low) - 0.1, float(high) + 0.1)
        self._turned = _turned(self._pyramid[0], limits.max_rotation_deg + 4)

    def find(self, frame: NDArray[np.uint8]) -> Pose:
        """The pose of an (H, W, 3) RGB frame; where nothing fits, one with a correlation of 0."""
        gray, reference = self._alike(frame, 0), self._pyramid[0]
        matrix = self._coarse(gray)
        try:
            for level, iterations in enumerate((60, 20)):
                gray, reference = self._alike(frame, level), self._pyramid[level]
                start = _on_centres(matrix, reference.shape[1])
                matrix = _on_areas(_ecc(gray, reference, start, iterations), reference.shape[1])
        except cv2.error:  # ECC raises when it doesn't converge
            return Pose(np.eye(2, 3), math.inf, 0.0, 0.0)
        centre = np.array([0.5, 0.5 * frame.shape[0] / frame.shape[1], 1.0])
        shift = matrix @ centre - centre[:2]
        rotation = math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))
        correlation = _agreement(gray, reference, _on_centres(matrix, reference.shape[1]))
        return Pose(matrix, float(np.hypot(*shift)), rotation, correlation)

    def _alike(self, frame: NDArray[np.uint8], level: int) -> NDArray[np.float32]:
        """The frame's gray in the reference's units, cut off at its range: no glaring defect leads the search."""
        reference = self._pyramid[level]
        return np.asarray(np.clip(_standard(_gray(frame, reference.shape[::-1])), *self._range), np.float32)

    def _coarse(self, frame: NDArray[np.float32]) -> NDArray[np.float64]:
        """The best of the candidate turns, with the shift that goes with it."""
        size = frame.shape[::-1]
        window = cv2.createHanningWindow(size, cv2.CV_32F)
        best, best_score = np.eye(2, 3), -1.0
        for turn, turned in self._turned:
            (dx, dy), _ = cv2.phaseCorrelate(turned.copy(), frame.copy(), window)  # OpenCV 5 writes into both
            shift = np.array([[1, 0, dx], [0, 1, dy]])
            moved = cv2.warpAffine(turned, shift, size, borderMode=cv2.BORDER_REPLICATE)
            score = _correlation(np.asarray(moved, np.float32), frame)
            if score > best_score:
                best, best_score = turn.copy(), score
                best[:, 2] += (dx, dy)
        return _on_areas(best, size[0])


def _turned(reference: NDArray[np.float32], reach: float) -> list[tuple[NDArray[np.float64], NDArray[np.float32]]]:
    """The reference at turns two degrees apart, each with its matrix."""
    height, width = reference.shape
    turns = []
    steps = math.ceil(reach / 2)
    for angle in np.linspace(-2 * steps, 2 * steps, 2 * steps + 1):
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
        picture = cv2.warpAffine(reference, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        turns.append((np.asarray(matrix, np.float64), np.asarray(picture, np.float32)))
    return turns


def _ecc(
    frame: NDArray[np.float32], reference: NDArray[np.float32], start: NDArray[np.float64], iterations: int
) -> NDArray[np.float64]:
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, iterations, 1e-5)
    warp = start.astype(np.float32)
    _, matrix = cv2.findTransformECC(reference, frame, warp, cv2.MOTION_EUCLIDEAN, criteria)
    return np.asarray(matrix, np.float64)


def _agreement(frame: NDArray[np.float32], reference: NDArray[np.float32], matrix: NDArray[np.float64]) -> float:
    """Correlation of the aligned frame with the reference, without the tenth of the pixels that agree least.

    A part with a large defect is to be rejected, not called misaligned.
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    aligned = cv2.warpAffine(frame, matrix, reference.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    apart = np.abs(np.asarray(aligned, np.float32) - reference)
    kept = apart <= np.quantile(apart, 0.9)
    return _correlation(np.asarray(aligned, np.float32)[kept], reference[kept])


def _correlation(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """Pearson's; 0 where either is flat, since a flat picture agrees with nothing."""
    if x.std() < 1e-3 or y.std() < 1e-3:
        return 0.0
    return float(np.corrcoef(x.ravel(), y.ravel())[0, 1])


def _standard(gray: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zero median and unit spread, by ranks, which a few extreme pixels can't move."""
    low, middle, high = np.quantile(gray, (0.1, 0.5, 0.9))
    return np.asarray((gray - middle) / max(high - low, 1.0), np.float32)


def _on_centres(matrix: NDArray[np.float64], width_px: float) -> NDArray[np.float64]:
    """From width units and pixel areas to pixels and pixel centres, as OpenCV counts."""
    out = matrix.copy()
    half = np.array([0.5, 0.5])
    out[:, 2] = matrix[:, 2] * width_px + matrix[:, :2] @ half - half
    return out


def _on_areas(matrix: NDArray[np.float64], width_px: float) -> NDArray[np.float64]:
    """The way back from `_on_centres`."""
    out = matrix.copy()
    half = np.array([0.5, 0.5])
    out[:, 2] = (matrix[:, 2] - matrix[:, :2] @ half + half) / width_px
    return out


def _gray(image: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.float32]:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if gray.shape[::-1] != size:
        gray = cv2.resize(gray, (size[0], size[1]), interpolation=cv2.INTER_AREA)
    return gray.astype(np.float32)
