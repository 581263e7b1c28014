"""Encoded bytes to RGB pixels."""

import os
import struct
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.image.formats import bmp, jpeg, png, tiff
from trialsight.image.formats.size import damaged
from trialsight.image.header import ImageHeader

_CHECKS: dict[str, Callable[[bytes], bytes]] = {
    "jpeg": jpeg.check_whole,
    "png": png.check_whole,
    "bmp": bmp.check_whole,
    "tiff": tiff.check_whole,
}
_REDUCED = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}

_FATAL = 1


def decode(data: bytes, header: ImageHeader, reduced: int = 1) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, upright by EXIF. Gray becomes three equal channels, 16-bit becomes 8-bit, alpha is dropped.

    `reduced` 2, 4 or 8 decodes a JPEG at that fraction of its size, which costs a third of the time; other formats
    ignore it. Raises FrameError UNDECODABLE, also where a decoder would quietly fill what is missing.
    """
    try:
        whole = _CHECKS[header.format](data)
    except (struct.error, IndexError, ValueError):
        raise damaged(f"the {header.format} is broken or cut short") from None
    flags = cv2.IMREAD_COLOR_RGB | (_REDUCED[reduced] if header.format == "jpeg" else 0)
    _quieten()
    try:
        image = cv2.imdecode(np.frombuffer(whole, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None or image.ndim != 3:
        raise damaged(f"the {header.format} image can't be decoded: it is damaged, or lacks data")
    return image  # type: ignore[return-value]


@cache
def _quieten() -> None:
    """OpenCV logs two to six lines for each frame that it can't decode; the FrameError says it all.

    OpenCV has one level for the process and none for a thread, so this is set once, not around each call. What is
    fatal still shows, and whoever sets OPENCV_LOG_LEVEL keeps their level.
    """
    if "OPENCV_LOG_LEVEL" not in os.environ:
        module = cv2.utils.logging if hasattr(cv2.utils, "logging") else cv2  # before OpenCV 4.13 they stood in cv2
        module.setLogLevel(_FATAL)
