"""What one frame tells of its camera: measures by which a line's drift is seen long before a verdict goes wrong."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.health import Health
from trialsight.prepare import Prepared

SIDE = 64  # of the square picture on which the part's place is sought


@dataclass(frozen=True)
class Signals:
    """Five measures of `Health`, and: `warmth`, log of red over blue light. `shift_x`, `shift_y`: where the part lies
    against the model's reference, as shares of the picture's width and height; `turn_deg` how it is turned; None
    where there is no reference."""

    brightness: float
    contrast: float
    black: float
    white: float
    sharpness: float
    warmth: float
    shift_x: float | None = None
    shift_y: float | None = None
    turn_deg: float | None = None

    def to_json(self) -> dict[str, float]:
        """What was measured, to five digits."""
        return {name: float(f"{value:.5g}") for name, value in vars(self).items() if value is not None}


class Observer:
    """Measures prepared frames. `reference`: (h, w) gray, a good part as the model sees it. Safe for threads.

    Where frames are registered, the place is the pose that was undone. Elsewhere it comes from the left and the right
    half by phase correlation (Kuglin & Hines 1975): their mean is the shift, their difference the turn.
    """

    def __init__(self, reference: NDArray[np.uint8] | None) -> None:
        self._reference = None if reference is None else _spectra(reference).conj()

    def __call__(self, prepared: Prepared, health: Health) -> Signals:
        red, _, blue, _ = cv2.mean(prepared.pixels)
        warmth = float(np.log((red + 1) / (blue + 1)))
        return Signals(**vars(health), warmth=warmth, **self._place(prepared))

    def _place(self, prepared: Prepared) -> dict[str, float]:
        if prepared.pose is not None:
            pose, aspect = prepared.pose, prepared.frame_size_px[1] / prepared.frame_size_px[0]
            if not np.isfinite(pose.shift):
                return {}
            dx, dy = pose.matrix @ (0.5, 0.5 * aspect, 1.0) - (0.5, 0.5 * aspect)
            return {"shift_x": float(dx), "shift_y": float(dy) / aspect, "turn_deg": pose.rotation_deg}
        if self._reference is None:
            return {}
        cross = _spectra(prepared.gray) * self._reference
        peaks = np.fft.irfft2(cross / (np.abs(cross) + 1e-12), (SIDE, SIDE // 2))
        (left_x, left_y), (right_x, right_y) = (_peak(half) for half in peaks)
        turn = float(np.degrees(np.arctan2(right_y - left_y, SIDE / 2)))
        shift_x, shift_y = (left_x + right_x) / 2 / SIDE, (left_y + right_y) / 2 / SIDE
        return {"shift_x": shift_x, "shift_y": shift_y, "turn_deg": turn}


def _spectra(gray: NDArray[np.uint8]) -> NDArray[np.complexfloating]:
    """(2, SIDE, SIDE / 4 + 1) of the left and the right half. Not by cv2.phaseCorrelate, which would take the
    reference's spectrum for every frame anew, and in OpenCV 5 writes into what it is given."""
    small = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    halves = small.astype(np.float32).reshape(SIDE, 2, SIDE // 2).transpose(1, 0, 2)
    return np.fft.rfft2(halves * _WINDOW)


def _peak(surface: NDArray[np.floating]) -> tuple[float, float]:
    """x and y of the highest place, between pixels by the centroid of its 5x5 neighbourhood; beyond half, negative."""
    height, width = surface.shape
    top, left = divmod(int(surface.argmax()), width)
    rows, columns = (top + _AROUND) % height, (left + _AROUND) % width
    weights = np.maximum(surface[rows[:, None], columns], 0)
    total = float(weights.sum()) or 1.0
    y, x = top + float(weights.sum(axis=1) @ _AROUND) / total, left + float(weights.sum(axis=0) @ _AROUND) / total
    return (x - width if x > width / 2 else x), (y - height if y > height / 2 else y)


_AROUND = np.arange(-2, 3)
_WINDOW = np.outer(np.hanning(SIDE), np.hanning(SIDE // 2)).astype(np.float32)
