"""A decoded frame to the model's input. Training calls this very function, so the two can't drift apart."""

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.card import Preparation
from trialsight.errors import FrameError, FrameFault
from trialsight.image import ImageHeader, decode


def check_geometry(width_px: int, height_px: int, preparation: Preparation) -> None:
    """Raises FrameError WRONG_GEOMETRY where the recipe names a frame size and this is another."""
    expected = (preparation.frame_width_px, preparation.frame_height_px)
    if expected[0] is not None and (width_px, height_px) != expected:
        raise FrameError(
            FrameFault.WRONG_GEOMETRY,
            f"the frame has {width_px}x{height_px} pixels, the recipe's view has {expected[0]}x{expected[1]}",
            "set the camera to the recipe's size, or train a recipe for this one",
        )


def prepare(image: NDArray[np.uint8], preparation: Preparation) -> NDArray[np.uint8]:
    """(H, W, 3) RGB to (height_px, width_px, 3) RGB by area averaging, contiguous."""
    size = (preparation.width_px, preparation.height_px)
    if (image.shape[1], image.shape[0]) != size:
        shrinks = image.shape[1] >= size[0] and image.shape[0] >= size[1]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[assignment]
    return np.ascontiguousarray(image)


def decode_and_prepare(
    data: bytes, header: ImageHeader, preparation: Preparation
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Bytes to the model's input, and the upright frame's full (width, height), by which geometry is judged."""
    image = decode(data, header, preparation.reduced_decode)
    turned = (image.shape[1] > image.shape[0]) != (header.width_px > header.height_px)  # EXIF quarter turn
    size = (header.height_px, header.width_px) if turned else (header.width_px, header.height_px)
    check_geometry(*size, preparation)
    return prepare(image, preparation), size
