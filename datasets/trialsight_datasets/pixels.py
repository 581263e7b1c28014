"""Pixels of a sample: its image and its mask, with errors that name the file."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight import FrameError, TrialsightError
from trialsight.image import ImageHeader, Limits, check_header, decode
from trialsight_datasets.sample import Sample

REPLACE = "replace the file or take it out of the set"


def read_bytes(path: Path) -> tuple[bytes, ImageHeader]:
    """The encoded image, its header checked. Raises TrialsightError that names the file."""
    try:
        data = path.read_bytes()
        return data, check_header(data, Limits())
    except OSError as error:
        raise TrialsightError(f"{path} can't be read: {error.strerror}", REPLACE) from error
    except FrameError as error:
        raise TrialsightError(f"{path}: {error.problem}", REPLACE) from error


def load_image(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, upright. Raises TrialsightError where it can't be decoded."""
    data, header = read_bytes(path)
    try:
        return decode(data, header)
    except FrameError as error:
        raise TrialsightError(f"{path}: {error.problem}", REPLACE) from error


def load_mask(sample: Sample, size_px: tuple[int, int] | None = None) -> NDArray[np.bool_] | None:
    """(H, W) bool, True where the part is defective; None where a defective part has no mask.

    `size_px`: the image's (width, height) where the caller knows it, else it is read from the image's header.
    Raises TrialsightError where the mask can't be read, has another size than the image, or contradicts the label:
    nothing marked on a defective part, or something on a good one.
    """
    if not sample.has_mask:
        if not sample.is_good:
            return None
        width, height = size_px or upright_size(sample.path)
        return np.zeros((height, width), np.bool_)
    mask, named = _mask_of(sample)
    found = (mask.shape[1], mask.shape[0])
    expected = size_px or stored_size(sample.path)
    if found != expected and size_px is None:
        expected = upright_size(sample.path)
    if found != expected:
        raise TrialsightError(
            f"{named} has {found[0]}x{found[1]} pixels, its image {sample.path} has {expected[0]}x{expected[1]}",
            "draw the mask on the image at its full size",
        )
    if sample.is_good == bool(mask.any()):
        said = (
            "marks a defect on a good part" if sample.is_good else f"marks nothing, though the part has {sample.label}"
        )
        raise TrialsightError(f"{named} {said}", "correct the mask or the label")
    return mask


def stored_size(path: Path) -> tuple[int, int]:
    """(width, height) by the header, before any EXIF rotation."""
    _, header = read_bytes(path)
    return header.width_px, header.height_px


def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) as a person sees it; a JPEG or TIFF may carry an EXIF quarter turn, so it is decoded."""
    header = read_bytes(path)[1]
    if header.format in ("png", "bmp"):
        return header.width_px, header.height_px
    image = load_image(path)
    return image.shape[1], image.shape[0]


def _mask_of(sample: Sample) -> tuple[NDArray[np.bool_], str]:
    """The mask, and what to call it."""
    if sample.mask_path is not None:
        return _decode_mask(sample.mask_path), f"mask {sample.mask_path}"
    assert sample.drawn is not None
    try:
        return sample.drawn.mask(), f"the annotation of {sample.path}"
    except TrialsightError as error:
        raise TrialsightError(f"the annotation of {sample.path}: {error.problem}", error.remedy) from error


def _decode_mask(path: Path) -> NDArray[np.bool_]:
    """Any value but 0 is defective (some sets number their defects); in a lossy JPEG, the brighter half."""
    data, header = read_bytes(path)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        raise TrialsightError(f"mask {path} can't be decoded", REPLACE)
    colors = image[..., :3].max(axis=2) if image.ndim == 3 else image  # an alpha channel says nothing of defects
    return np.asarray(colors > (127 if header.format == "jpeg" else 0), np.bool_)
