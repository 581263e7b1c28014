"""Is this a usable picture? Exposure, contrast and blur against what the training frames showed.

A frame that fails gets no verdict: a model that never saw such light says nothing about the part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.reason import Reason

BLACK, WHITE = 8, 247  # gray levels up to and from which a pixel holds no information


@dataclass(frozen=True)
class Health:
    """Measures of one prepared frame, all 0..1 but the last.

    `brightness`: mean gray. `contrast`: its standard deviation. `black`, `white`: shares of clipped pixels.
    `sharpness`: variance of the Laplacian over the variance of the gray (Pech-Pacheco et al., ICPR 2000, made
    independent of contrast), so that dim light is not taken for blur.
    """

    brightness: float
    contrast: float
    black: float
    white: float
    sharpness: float


@dataclass(frozen=True)
class Range:
    low: float
    high: float


@dataclass(frozen=True)
class HealthLimits:
    """What is allowed of each measure; held in the card."""

    brightness: Range
    contrast: Range
    black: Range
    white: Range
    sharpness: Range


# How far beyond what the training frames showed is still fine, whatever their number: (absolute, factor).
# A defect must not look like bad light, so these are wide; lamps that fail and lenses that slip go far beyond them.
_SLACK = {
    "brightness": (0.12, 1.0),
    "contrast": (0.0, 2.0),
    "black": (0.15, 1.0),
    "white": (0.15, 1.0),
    "sharpness": (0.0, 3.0),
}
_FAULTS = {
    ("brightness", False): "too_dark",
    ("brightness", True): "too_bright",
    ("black", True): "black_high",
    ("white", True): "white_high",
    ("contrast", False): "contrast_low",
    ("contrast", True): "contrast_high",
    ("sharpness", False): "blurred",
    ("sharpness", True): "noisy",
    ("black", False): "black_low",
    ("white", False): "white_low",
}


def measure(pixels: NDArray[np.uint8]) -> Health:
    """Measures of a frame as the model sees it: (h, w, 3) RGB, or (h, w) gray."""
    gray = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    edges = cv2.Laplacian(gray, cv2.CV_16S)
    edge_variance = cv2.norm(edges, cv2.NORM_L2SQR) / edges.size - (cv2.sumElems(edges)[0] / edges.size) ** 2
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(gray))
    return Health(
        brightness=mean / 255,
        contrast=deviation / 255,
        black=cv2.countNonZero(cv2.inRange(gray, 0, BLACK)) / gray.size,
        white=cv2.countNonZero(cv2.inRange(gray, WHITE, 255)) / gray.size,
        sharpness=edge_variance / max(deviation**2, 1.0),
    )


def learn_limits(frames: Sequence[Health]) -> HealthLimits:
    """Limits from the training frames' measures: what they showed, as much again to either side, and some slack."""
    limits = {}
    for name, (absolute, factor) in _SLACK.items():
        values = [getattr(frame, name) for frame in frames]
        low, high = min(values), max(values)
        reach = (high - low) + absolute
        limits[name] = Range(max(0.0, (low - reach) / factor), (high + reach) * factor)
    return HealthLimits(**limits)


def find_fault(health: Health, limits: HealthLimits) -> Reason | None:
    """Why the frame can't be judged, with both numbers, or None. An all-black frame is named as such."""
    if health.black > 0.995 and limits.black.high < 0.995:
        return Reason("all_black")
    for name in _SLACK:
        value, allowed = getattr(health, name), getattr(limits, name)
        if value > allowed.high:
            return Reason(_FAULTS[name, True], value=value, limit=allowed.high)
        if value < allowed.low:
            return Reason(_FAULTS[name, False], value=value, limit=allowed.low)
    return None


class FrozenWatch:
    """Notices a camera that sends the same picture again and again: `after` identical frames in a row, pixel for pixel.

    A sensor's noise makes two pictures of even the same part differ. One watch per line and view; not thread-safe.
    """

    def __init__(self, after: int) -> None:
        if after < 2:
            raise ValueError(f"after must be at least 2, got {after}")
        self.after = after
        self._last: bytes | None = None
        self._count = 0

    def fault(self, fingerprint: bytes) -> Reason | None:
        """Take the next frame's fingerprint (a hash of its bytes); say whether the camera looks frozen."""
        self._count = self._count + 1 if fingerprint == self._last else 1
        self._last = fingerprint
        if self._count < self.after:
            return None
        return Reason("frozen", count=self._count)
