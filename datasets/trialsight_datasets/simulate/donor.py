"""A labelled defect cut out of one photograph and laid into another by Poisson blending (Pérez et al., 2003)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight import TrialsightError
from trialsight_datasets.simulate.photo import CHANGED, foreground

MARGIN_PX = 4  # of the donor's surroundings that go along, so that its edge can be fitted
TRIES = 30


def transplant(
    photo: NDArray[np.uint8], donor: NDArray[np.uint8], mask: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """`photo` (H, W, 3) RGB with the defect that `mask` marks in `donor`, turned by lot and scaled as the pictures are;
    and (H, W) bool, true where it differs visibly. The rest keeps every bit.

    The gradients are the donor's, the level is the place's: so colour and light fit by themselves. Raises
    TrialsightError where it finds no room on the part.
    """
    piece, shape = _cut(donor, mask, max(photo.shape[:2]) / max(donor.shape[:2]), rng)
    height, width = shape.shape
    room = cv2.erode(foreground(photo).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
    if height + 2 >= photo.shape[0] or width + 2 >= photo.shape[1]:
        raise TrialsightError(f"a defect of {width}x{height} px does not fit into the picture", "take smaller examples")
    for _ in range(TRIES):
        top = int(rng.integers(1, photo.shape[0] - height - 1))
        left = int(rng.integers(1, photo.shape[1] - width - 1))
        there = room[top : top + height, left : left + width]
        if there[shape].mean() > 0.98:
            break
    else:
        raise TrialsightError("there is no room on the part for such a defect", "take smaller examples")
    # OpenCV centres the mask's own bounding box; with the frame marked, that is the whole piece.
    centre = (left + width // 2, top + height // 2)
    wide = cv2.dilate(shape.astype(np.uint8), np.ones((3, 3), np.uint8))
    wide[0, :] = wide[-1, :] = wide[:, 0] = wide[:, -1] = 0
    place = photo[top : top + height, left : left + width]
    matched = _matched(piece, shape, place)
    source = np.where(wide[..., np.newaxis] > 0, matched, place)
    full = np.full(shape.shape, 255, np.uint8)
    blended = np.asarray(cv2.seamlessClone(source, photo, full, centre, cv2.NORMAL_CLONE), np.uint8)
    out = photo.copy()
    window = out[top : top + height, left : left + width]
    new = blended[top : top + height, left : left + width]
    touched = (wide > 0) & (np.abs(new.astype(np.int16) - window).max(axis=2) >= CHANGED)
    window[touched] = new[touched]
    marked = np.zeros(photo.shape[:2], np.bool_)
    marked[top : top + height, left : left + width] = touched
    return out, marked


def _cut(
    donor: NDArray[np.uint8], mask: NDArray[np.bool_], scale: float, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The largest marked region with its surroundings, scaled and turned by quarters."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if len(stats) < 2:
        raise TrialsightError("an example marks no defect", "take examples with masks")
    one = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, width, height = (int(value) for value in stats[one][:4])
    top, left = max(0, y - MARGIN_PX), max(0, x - MARGIN_PX)
    window = np.s_[top : y + height + MARGIN_PX, left : x + width + MARGIN_PX]
    piece, shape = donor[window], (labels[window] == one).astype(np.uint8)
    size = (max(8, round(piece.shape[1] * scale)), max(8, round(piece.shape[0] * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    piece = np.asarray(cv2.resize(piece, size, interpolation=interpolation), np.uint8)
    shape = np.asarray(cv2.resize(shape, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    turns = int(rng.integers(4))
    return np.ascontiguousarray(np.rot90(piece, turns)), np.ascontiguousarray(np.rot90(shape, turns)).astype(np.bool_)


def _matched(piece: NDArray[np.uint8], shape: NDArray[np.bool_], place: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The piece in the place's light: each channel scaled so that the donor's surroundings get the place's level."""
    around = ~cv2.dilate(shape.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
    if not around.any():
        return piece
    donors, places = (np.median(pixels[around], axis=0) for pixels in (piece.astype(np.float32), place))
    gain = np.clip((places + 1) / (donors + 1), 0.4, 2.5)
    return np.asarray(np.clip(np.round(piece * gain), 0, 255), np.uint8)
