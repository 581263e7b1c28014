"""Millimetres from a picture of a calibration target: a checkerboard, or a ChArUco board that may be partly hidden."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.errors import TrialsightError
from trialsight.geometry.scale import Scale

DICTIONARY = cv2.aruco.DICT_4X4_250


@dataclass(frozen=True)
class Target:
    """`columns` and `rows` count squares; a ChArUco marker fills `marker_share` of its square (dictionary 4x4_250)."""

    kind: Literal["checkerboard", "charuco"]
    columns: int
    rows: int
    square_mm: float
    marker_share: float = 0.7

    def __post_init__(self) -> None:
        if self.columns < 3 or self.rows < 3:
            raise ValueError(f"a target needs at least 3x3 squares, got {self.columns}x{self.rows}")
        if not self.square_mm > 0:
            raise ValueError(f"square_mm must be above 0, got {self.square_mm}")


@dataclass(frozen=True)
class Calibrated:
    """`scale` maps frame pixels to mm. Residuals are distances in mm between where the corners are and should be."""

    scale: Scale
    corners: int
    residual_rms_mm: float
    residual_max_mm: float


def calibrate(image: NDArray[np.uint8], target: Target) -> Calibrated:
    """Find the target in an (H, W, 3) RGB image and fit the homography of its plane.

    Raises TrialsightError when fewer than four corners, or only corners in one row, are found.
    """
    gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    found = _checkerboard(gray, target) if target.kind == "checkerboard" else _charuco(gray, target)
    if found is None or len(found[0]) < 4:
        raise TrialsightError(
            f"no {target.kind} of {target.columns}x{target.rows} squares is seen in the image",
            "check the number of squares, the light and that the whole target lies in view",
        )
    points_px, points_mm = found
    matrix, _ = cv2.findHomography(points_px, points_mm, method=0)
    if matrix is None:
        raise TrialsightError("the target's corners lie in one row", "show more of the target")
    scale = Scale(homography=tuple(tuple(float(value) for value in row) for row in matrix))
    residuals = np.linalg.norm(scale.to_mm(points_px) - points_mm, axis=1)
    return Calibrated(scale, len(points_px), float(np.sqrt(np.mean(residuals**2))), float(residuals.max()))


def draw_target(target: Target, px_per_square: int = 60) -> NDArray[np.uint8]:
    """The target as a gray picture to print, one square of white around it."""
    size = (target.columns * px_per_square, target.rows * px_per_square)
    if target.kind == "charuco":
        board = _board(target).generateImage(size, marginSize=0)
    else:
        grid = np.indices((target.rows, target.columns)).sum(axis=0) % 2 * 255
        board = np.kron(grid, np.ones((px_per_square, px_per_square))).astype(np.uint8)
    return np.pad(board, px_per_square, constant_values=255).astype(np.uint8)


Corners = tuple[NDArray[np.float32], NDArray[np.float32]]


def _checkerboard(gray: NDArray[np.uint8], target: Target) -> Corners | None:
    inner = (target.columns - 1, target.rows - 1)
    ok, corners = cv2.findChessboardCornersSB(gray, inner, flags=cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY)
    if not ok:
        return None
    grid = np.stack(np.meshgrid(np.arange(inner[0]), np.arange(inner[1])), axis=-1).reshape(-1, 2)
    return np.asarray(corners, np.float32).reshape(-1, 2), (grid * target.square_mm).astype(np.float32)


def _charuco(gray: NDArray[np.uint8], target: Target) -> Corners | None:
    board = _board(target)
    corners, ids, _, _ = cv2.aruco.CharucoDetector(board).detectBoard(gray)
    if ids is None:
        return None
    on_board = np.asarray(board.getChessboardCorners(), np.float32)[np.asarray(ids).ravel(), :2]
    return np.asarray(corners, np.float32).reshape(-1, 2), on_board


def _board(target: Target) -> "cv2.aruco.CharucoBoard":
    dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARY)
    marker_mm = target.square_mm * target.marker_share
    return cv2.aruco.CharucoBoard((target.columns, target.rows), target.square_mm, marker_mm, dictionary)
