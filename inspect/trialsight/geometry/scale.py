"""Frame pixels to millimetres: one factor for a camera that looks straight down, a homography for one that doesn't."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scale:
    """Give one of the two. `homography` is row-major 3x3, from frame pixels to mm on the part's plane."""

    mm_per_px: float | None = None
    homography: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        if (self.mm_per_px is None) == (self.homography is None):
            raise ValueError("give mm_per_px or homography, one of the two")
        if self.mm_per_px is not None and not (math.isfinite(self.mm_per_px) and self.mm_per_px > 0):
            raise ValueError(f"mm_per_px must be a number above 0, got {self.mm_per_px}")
        if self.homography is not None:
            matrix = np.array(self.homography, dtype=float)
            if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-12:
                raise ValueError("homography must be 3x3, finite and invertible")

    def to_mm(self, points_px: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 2) x, y in frame pixels to (N, 2) in mm."""
        points = np.asarray(points_px, dtype=np.float64)
        if self.mm_per_px is not None:
            return points * self.mm_per_px
        matrix = np.array(self.homography, dtype=np.float64)
        return np.asarray(cv2.perspectiveTransform(points[np.newaxis], matrix)[0], dtype=np.float64)

    def mm2_per_px(self, x: float, y: float) -> float:
        """Area in mm² of the frame pixel at x, y (the determinant of the mapping's Jacobian there)."""
        if self.mm_per_px is not None:
            return self.mm_per_px**2
        corners = self.to_mm(np.array([[x, y], [x + 1, y], [x, y + 1]]))
        (ax, ay), (bx, by) = corners[1] - corners[0], corners[2] - corners[0]
        return float(abs(ax * by - ay * bx))
