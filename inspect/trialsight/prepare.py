"""A frame to the model's input. Training calls this very code, so the two can't drift apart.

Order: decode (reduced where the recipe says so), check the geometry, undo shift and turn, crop, resize.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.card import Preparation
from trialsight.errors import FrameError, FrameFault
from trialsight.geometry.register import Aligner, Pose
from trialsight.image import ImageHeader, decode
from trialsight.reason import Reason


@dataclass(frozen=True)
class Prepared:
    """`pixels`: the model's input, (height_px, width_px, 3) uint8 RGB, contiguous. `frame_size_px`: (width, height) of
    the upright frame. `fault`: why it can't be judged (misaligned), else None."""

    pixels: NDArray[np.uint8]
    frame_size_px: tuple[int, int]
    pose: Pose | None = None
    fault: Reason | None = None

    @cached_property
    def gray(self) -> NDArray[np.uint8]:
        """(height_px, width_px)."""
        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY), np.uint8)


class Preparer:
    """Prepares frames by one card's preparation. Safe to call from many threads.

    `reference` is the package's reference picture, needed where the preparation registers.
    """

    def __init__(self, preparation: Preparation, reference: NDArray[np.uint8] | None = None) -> None:
        self.preparation = preparation
        self._aligner: Aligner | None = None
        if preparation.registration is not None:
            if reference is None:
                raise ValueError("registration needs a reference picture")
            self._aligner = Aligner(reference, preparation.registration)

    def decode(self, data: bytes, header: ImageHeader) -> Prepared:
        """Encoded bytes. Raises FrameError UNDECODABLE or WRONG_GEOMETRY."""
        image = decode(data, header, self.preparation.reduced_decode)
        turned = (image.shape[1] > image.shape[0]) != (header.width_px > header.height_px)  # EXIF quarter turn
        size = (header.height_px, header.width_px) if turned else (header.width_px, header.height_px)
        return self._prepare(image, size)

    def array(self, frame: NDArray[np.uint8]) -> Prepared:
        """(H, W, 3) RGB pixels. Raises FrameError WRONG_GEOMETRY."""
        return self._prepare(frame, (frame.shape[1], frame.shape[0]))

    def mask(self, mask: NDArray[np.bool_], pose: Pose | None) -> NDArray[np.bool_]:
        """A frame's (H, W) mask, laid as that frame was, at the model's input: all pixels with a trace of a mark.

        `pose`: what was found of the frame itself.
        """
        preparation = self.preparation
        image = np.repeat((mask * np.uint8(255))[..., None], 3, axis=2)
        if pose is not None:
            image = pose.undo(image)
        if preparation.crop_px is not None:
            image = _crop(image, preparation.crop_px, (mask.shape[1], mask.shape[0]))
        traces = cv2.resize(
            image[..., 0].astype(np.float32),
            (preparation.width_px, preparation.height_px),
            interpolation=cv2.INTER_AREA,
        )
        return np.asarray(traces > 0, np.bool_)

    def _prepare(self, image: NDArray[np.uint8], size: tuple[int, int]) -> Prepared:
        """`image` may be smaller than the frame of `size` that it shows."""
        preparation = self.preparation
        check_geometry(*size, preparation)
        pose = fault = None
        if self._aligner is not None:
            pose = self._aligner.find(image)
            fault = pose.fault(self._aligner.limits, size)
            if fault is None:
                image = pose.undo(image)
        if preparation.crop_px is not None:
            image = _crop(image, preparation.crop_px, size)
        return Prepared(_resize(image, (preparation.width_px, preparation.height_px)), size, pose, fault)


def check_geometry(width_px: int, height_px: int, preparation: Preparation) -> None:
    """Raises FrameError WRONG_GEOMETRY where the recipe names a frame size and this is another."""
    expected = (preparation.frame_width_px, preparation.frame_height_px)
    if expected[0] is not None and (width_px, height_px) != expected:
        raise FrameError(
            FrameFault.WRONG_GEOMETRY,
            f"the frame has {width_px}x{height_px} pixels, the recipe's view has {expected[0]}x{expected[1]}",
            "set the camera to the recipe's size, or train a recipe for this one",
        )


def _crop(image: NDArray[np.uint8], crop_px: tuple[int, int, int, int], size: tuple[int, int]) -> NDArray[np.uint8]:
    """`crop_px` is in pixels of the whole frame; training puts its edges on multiples of 8, whole in reduced ones."""
    factor_x, factor_y = image.shape[1] / size[0], image.shape[0] / size[1]
    left, right = round(crop_px[0] * factor_x), round((crop_px[0] + crop_px[2]) * factor_x)
    top, bottom = round(crop_px[1] * factor_y), round((crop_px[1] + crop_px[3]) * factor_y)
    return image[top:bottom, left:right]


def _resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Area averaging when it shrinks, linear when it grows."""
    if (image.shape[1], image.shape[0]) != size:
        shrinks = image.shape[1] >= size[0] and image.shape[0] >= size[1]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[assignment]
    return np.ascontiguousarray(image)
