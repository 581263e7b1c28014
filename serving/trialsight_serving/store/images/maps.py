"""Defect maps as 16-bit single-channel PNG and a scale: score = code / full code x scale."""

import cv2
import numpy as np
from numpy.typing import NDArray

FULL_16 = 65535
FULL_8 = 255


def encode_map(defect_map: NDArray[np.float32]) -> tuple[bytes, float]:
    """(h, w) float32 to PNG bytes and the score at full code. Scores below 0 are stored as 0."""
    peak = float(defect_map.max())
    scale = peak if peak > 0 else 1.0
    codes = np.rint(np.clip(defect_map, 0, None) * (FULL_16 / scale)).astype(np.uint16)
    # Smooth and noisy at once, maps hold no repetitions: to look for runs alone is three times as fast, and no larger.
    how = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    return cv2.imencode(".png", codes, how)[1].tobytes(), scale


def to_8_bit(png: bytes) -> bytes:
    """The same map at 8 bits; the scale stays the score at full code."""
    codes = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert codes is not None and codes.dtype == np.uint16
    return cv2.imencode(".png", np.rint(codes * (FULL_8 / FULL_16)).astype(np.uint8))[1].tobytes()
