"""A camera's pixels as a file that the service takes."""

import cv2
import numpy as np
from numpy.typing import NDArray

JPEG_QUALITY = 95


def encode_frame(pixels: NDArray[np.uint8] | cv2.typing.MatLike, encode: str) -> tuple[bytes, str]:
    """(H, W) gray or (H, W, 3) BGR to its bytes and content type; `encode` is `jpeg` or `png`."""
    if encode == "png":
        return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes(), "image/png"
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes(), "image/jpeg"
