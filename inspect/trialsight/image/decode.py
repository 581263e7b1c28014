"""Encoded bytes to RGB pixels."""

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.errors import FrameError, FrameFault
from trialsight.image.header import ImageHeader

_REDUCED = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def decode(data: bytes, header: ImageHeader, reduced: int = 1) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, upright by EXIF. Gray becomes three equal channels, 16-bit becomes 8-bit, alpha is dropped.

    `reduced` 2, 4 or 8 decodes a JPEG at that fraction of its size, which costs a third of the time; other formats
    ignore it. Raises FrameError UNDECODABLE, also where a decoder would quietly fill what is missing with gray.
    """
    if header.format == "jpeg" and not _jpeg_ends(data):
        raise FrameError(FrameFault.UNDECODABLE, "the JPEG is cut short: its end marker is missing", "send it again")
    flags = cv2.IMREAD_COLOR_RGB | (_REDUCED[reduced] if header.format == "jpeg" else 0)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None or image.ndim != 3:
        raise FrameError(FrameFault.UNDECODABLE, f"the {header.format} image can't be decoded", "send it again")
    return image  # type: ignore[return-value]


def _jpeg_ends(data: bytes) -> bool:
    """Whether an end-of-image marker follows the first scan; cameras may append padding or notes after it.

    FF D9 can't stand within entropy-coded data (T.81 B.1.1.5 stuffs a zero behind each FF), but may in an EXIF
    thumbnail, which lies before the first scan of the image itself.
    """
    return data.rfind(b"\xff\xd9") > _first_scan(data)


def _first_scan(data: bytes) -> int:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xDA:
            return at
        if data[at + 1] == 0xFF:
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return len(data)
