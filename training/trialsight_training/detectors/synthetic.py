"""Defects pasted on pictures of good parts, where nobody has labelled real ones.

After CutPaste (Li et al., CVPR 2021) and NSA (Schlüter et al., ECCV 2022): a piece of another place or part, a change
of tone, a scratch, each within a ragged outline and more or less opaque.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
# A change of fewer gray levels can't be seen, so it is no defect.
VISIBLE = 8
TRIES = 10


def blemish(pixels: Pixels, donor: Pixels, rng: np.random.Generator) -> tuple[Pixels, NDArray[np.bool_]]:
    """A copy of an (H, W, 3) frame with a defect, and the (H, W) mask of what has visibly changed.

    `donor`: another good part (or the same) from which a piece may be taken.
    """
    for _ in range(TRIES):
        outline = _scratch(pixels.shape[:2], rng) if rng.random() < 0.3 else _blob(pixels.shape[:2], rng)
        alpha = (outline * rng.uniform(0.4, 1.0))[..., None]
        cover = _piece(donor, rng) if rng.random() < 0.5 else _toned(pixels, rng)
        changed = np.asarray(np.clip(pixels * (1 - alpha) + cover * alpha, 0, 255), np.uint8)
        mask = np.abs(changed.astype(np.int16) - pixels).max(axis=2) >= VISIBLE
        if mask.sum() >= 8:
            return changed, mask
    changed = pixels.copy()  # a picture on which hardly anything can be seen: burnt out, or of one tone
    side = max(3, min(pixels.shape[:2]) // 16)
    y, x = (int(rng.integers(0, length - side)) for length in pixels.shape[:2])
    changed[y : y + side, x : x + side] = 255 - changed[y : y + side, x : x + side]
    return changed, np.abs(changed.astype(np.int16) - pixels).max(axis=2) >= VISIBLE


def _blob(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """(H, W) 0..1: a ragged spot, 3 to 20 % of the shorter side across, with soft edges."""
    height, width = shape[0], shape[1]
    radius = min(height, width) * rng.uniform(0.015, 0.1)
    y, x = rng.uniform(0, height), rng.uniform(0, width)
    turn, aspect = rng.uniform(0, np.pi), rng.uniform(0.4, 1.0)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    u = np.cos(turn) * (columns - x) + np.sin(turn) * (rows - y)
    v = (np.cos(turn) * (rows - y) - np.sin(turn) * (columns - x)) / aspect
    angle = np.arctan2(v, u)
    outline = sum(rng.normal(0, 0.35 / wave) * np.cos(wave * angle + rng.uniform(0, 6.3)) for wave in range(2, 7))
    inwards = radius * (1 + outline) - np.hypot(u, v)
    return np.asarray(np.clip(inwards / max(1.0, 0.15 * radius) + 0.5, 0, 1), np.float32)


def _scratch(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """(H, W) 0..1: a bent thin line."""
    height, width = shape[0], shape[1]
    side = min(height, width)
    start, angle = rng.uniform((0, 0), (width, height)), rng.uniform(0, 2 * np.pi)
    along = np.linspace(0, side * rng.uniform(0.08, 0.3), 12)
    turns = angle + rng.normal(0, 0.4) * along / side
    points = start + along[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    canvas = np.zeros((height, width), np.uint8)
    thick = max(1, round(side * rng.uniform(0.003, 0.015)))
    cv2.polylines(canvas, [np.round(points * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)
    return np.asarray(canvas, np.float32) / np.float32(255)


def _piece(donor: Pixels, rng: np.random.Generator) -> NDArray[np.float32]:
    """The donor moved, turned and a little differently lit, so that any place shows what belongs elsewhere."""
    height, width = donor.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-180, 180), rng.uniform(0.7, 1.4))
    matrix[:, 2] += rng.uniform(-0.4, 0.4, 2) * np.array([width, height])
    piece = cv2.warpAffine(donor, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(piece * rng.uniform(0.8, 1.2), np.float32)


def _toned(pixels: Pixels, rng: np.random.Generator) -> NDArray[np.float32]:
    """Darker, brighter or coloured, with some grain."""
    factor = rng.uniform(0.25, 0.8) if rng.random() < 0.5 else rng.uniform(1.2, 2.0)
    tint = 1 + rng.normal(0, 0.1, 3)
    grain = rng.normal(0, rng.uniform(0, 20), (*pixels.shape[:2], 1))
    return np.asarray(pixels * factor * tint + grain, np.float32)
