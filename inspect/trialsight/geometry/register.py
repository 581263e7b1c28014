"""Undo a part's shift and turn against a golden reference, or say that it lies too far off to be judged.

Enhanced correlation coefficient: Evangelidis & Psarakis, PAMI 2008, through OpenCV. A coarse phase correlation over
candidate rotations starts it, since ECC alone finds only what is near.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

COARSE_SIDE = 256  # longer side of the picture on which the rough pose is found
MIN_CORRELATION = 0.5  # of the aligned frame with the reference; unrelated pictures stay well below
PRECISION_PX, PRECISION_DEG = 0.5, 0.05  # of the estimate; a part right on the limit is within it


@dataclass(frozen=True)
class Registration:
    """Limits beyond which a frame is `misaligned`: shift as a share of the frame's longer side, turn in degrees."""

    max_shift: float = 0.05
    max_rotation_deg: float = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.max_shift <= 0.5:
            raise ValueError(f"max_shift must lie in (0, 0.5], got {self.max_shift}")
        if not 0 <= self.max_rotation_deg <= 45:
            raise ValueError(f"max_rotation_deg must lie in [0, 45], got {self.max_rotation_deg}")


@dataclass(frozen=True)
class Pose:
    """How the part lies against the reference. `matrix` (2, 3) maps reference pixels to frame pixels."""

    matrix: NDArray[np.float32]
    shift_px: float
    rotation_deg: float
    correlation: float

    def fault(self, limits: Registration, frame_size_px: tuple[int, int]) -> str | None:
        """Why the frame can't be judged, or None."""
        if self.correlation < MIN_CORRELATION:
            return f"misaligned: the frame doesn't match the reference (correlation {self.correlation:.2f})"
        if self.shift_px > limits.max_shift * max(frame_size_px) + PRECISION_PX:
            return f"misaligned: shifted by {self.shift_px:.0f} px, at most {limits.max_shift * max(frame_size_px):.0f}"
        if abs(self.rotation_deg) > limits.max_rotation_deg + PRECISION_DEG:
            return f"misaligned: turned by {self.rotation_deg:.1f} degrees, at most {limits.max_rotation_deg:.1f}"
        return None


def find_pose(frame: NDArray[np.uint8], reference: NDArray[np.uint8], limits: Registration) -> Pose:
    """The pose of an (H, W, 3) RGB frame against a reference of the same size.

    The shift is that of the frame's centre. Where nothing fits, the pose has a correlation of 0.
    """
    size = (reference.shape[1], reference.shape[0])
    factor = min(1.0, COARSE_SIDE / max(size))
    small = (round(size[0] * factor), round(size[1] * factor))
    coarse_frame, coarse_reference = _gray(frame, small), _gray(reference, small)
    matrix = _coarse(coarse_frame, coarse_reference, limits)
    try:
        correlation, matrix = _ecc(coarse_frame, coarse_reference, matrix)
        matrix = _rescale(matrix, (size[0] / small[0], size[1] / small[1]))
        fine = (frame.shape[1], frame.shape[0])
        correlation, matrix = _ecc(_gray(frame, fine), _gray(reference, fine), matrix, iterations=15)
    except cv2.error:  # ECC raises when it doesn't converge
        return Pose(np.eye(2, 3, dtype=np.float32), math.inf, 0.0, 0.0)
    centre = np.array([size[0] / 2, size[1] / 2, 1.0])
    shift = matrix @ centre - centre[:2]
    rotation = math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))
    return Pose(matrix, float(np.hypot(*shift)), rotation, correlation)


def undo(frame: NDArray[np.uint8], pose: Pose) -> NDArray[np.uint8]:
    """The frame as it would look with the part where the reference has it; edges are repeated."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (frame.shape[1], frame.shape[0])
    warped = cv2.warpAffine(frame, pose.matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return warped.astype(np.uint8, copy=False)


def _coarse(frame: NDArray[np.float32], reference: NDArray[np.float32], limits: Registration) -> NDArray[np.float32]:
    """The best of candidate rotations (2 degrees apart, a little beyond the limit) with the shift that goes with it."""
    height, width = reference.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    reach = limits.max_rotation_deg + 4
    best, best_response = np.eye(2, 3, dtype=np.float32), -1.0
    for angle in np.arange(-reach, reach + 0.1, 2.0):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
        turned = cv2.warpAffine(reference, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
        (dx, dy), response = cv2.phaseCorrelate(turned, frame, window)
        if response > best_response:
            turn[:, 2] += np.array((dx, dy))
            best, best_response = turn.astype(np.float32), response
    return best


def _ecc(
    frame: NDArray[np.float32], reference: NDArray[np.float32], start: NDArray[np.float32], iterations: int = 60
) -> tuple[float, NDArray[np.float32]]:
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, iterations, 1e-5)
    correlation, matrix = cv2.findTransformECC(reference, frame, start.copy(), cv2.MOTION_EUCLIDEAN, criteria)
    return float(correlation), np.asarray(matrix, dtype=np.float32)


def _rescale(matrix: NDArray[np.float32], factors: tuple[float, float]) -> NDArray[np.float32]:
    scaled = matrix.copy()
    scaled[0, 2] *= factors[0]
    scaled[1, 2] *= factors[1]
    return scaled


def _gray(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if (image.shape[1], image.shape[0]) != size:
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return gray.astype(np.float32)
