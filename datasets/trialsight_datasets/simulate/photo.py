"""Defects painted on a photograph of a good part: in its light, as sharp as it is, with their exact mask."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight import TrialsightError
from trialsight_datasets.simulate.brush import Canvas
from trialsight_datasets.simulate.defects import PAINTERS
from trialsight_datasets.simulate.part import Floats, Part, Surface
from trialsight_datasets.simulate.product import STEEL
from trialsight_datasets.simulate.scene import Pose, Scene, Window

# What needs no drawing of the part. Of any other kind, labelled examples can be pasted (`donor.py`).
PHOTO_KINDS = ("scratch", "dent", "stain")
CHANGED = 2  # gray levels from which a pixel counts as touched
CUT_PX = 192  # longer side of the picture on which the part is told from the ground


class PhotoPart(Part):
    """Where the part is in a square picture of side `size_px`, and where its light comes from."""

    def __init__(self, inside_px: Floats, toward: tuple[float, float]) -> None:
        super().__init__(inside_px.shape[0])
        empty = np.zeros_like(inside_px)
        self.complete = Surface(empty, np.clip(inside_px, 0, 1), inside_px, inside_px)
        self.toward = toward


@dataclass(frozen=True)
class PhotoCanvas(Canvas):
    """A photograph, linear. Colours that a defect brings are brought in the light of the place."""

    def blend(self, window: Window, opacity: NDArray[np.floating], rgb: NDArray[np.floating]) -> None:
        place = self.rgb[window][self.part.complete.inside_px[window] > 0]
        level = float(np.median(place)) / STEEL.reflectance if place.size else 1.0
        super().blend(window, opacity, np.clip(np.asarray(rgb) * np.clip(level, 0.2, 2.5), 0, 1))


def paint_on(
    photo: NDArray[np.uint8], kind: str, rng: np.random.Generator, severity: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """(H, W, 3) RGB with the defect, and (H, W) bool, true where it differs visibly. The rest keeps every bit.

    Raises TrialsightError for a kind that can't be painted, or a part on which there is no room for it.
    """
    if kind not in PHOTO_KINDS:
        raise TrialsightError(
            f"{kind!r} can't be painted on a photograph",
            f"take one of {', '.join(PHOTO_KINDS)}, or give examples of it by --from",
        )
    height, width = photo.shape[:2]
    side = max(height, width)
    square = np.zeros((side, side, 3), np.float32)
    linear = (photo.astype(np.float32) / 255) ** 2
    square[:height, :width] = linear
    where = foreground(photo)
    part = PhotoPart(_inside_px(where, side), _toward(photo, where))
    if part.complete.inside_px.max() < 0.03 * side:
        raise TrialsightError("the part is too small in its picture for a defect", "crop the pictures closer")
    flat = np.zeros((side, side), np.float32)
    canvas = PhotoCanvas(Scene(part, Pose(0, 0, 0, 1), flat, flat, flat), square.copy(), np.zeros((side, side), bool))
    PAINTERS[kind](canvas, rng, severity)
    change = cv2.GaussianBlur(canvas.rgb - square, (0, 0), _softness(photo))[:height, :width]
    if (photo == photo[..., :1]).all():  # a monochrome camera sees no colour in a defect either
        change = change.mean(axis=2, keepdims=True).repeat(3, axis=2)
    painted = np.round(np.sqrt(np.clip(linear + change, 0, 1)) * 255).astype(np.uint8)
    touched = (np.abs(painted.astype(np.int16) - photo).max(axis=2) >= CHANGED) & (np.abs(change).max(axis=2) > 1e-4)
    out = photo.copy()
    out[touched] = painted[touched]
    return out, touched


def foreground(photo: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W): the part, told from the ground around it by GrabCut (Rother et al., 2004). Where what it finds reaches
    the picture's border on all sides, or is next to nothing, the whole picture shows the part."""
    height, width = photo.shape[:2]
    scale = min(1.0, CUT_PX / max(height, width))
    small = cv2.resize(photo, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    rows, columns = small.shape[:2]
    edge = max(2, min(rows, columns) // 32)
    labels = np.zeros((rows, columns), np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # its clusters begin by lot
    inner = (edge, edge, columns - 2 * edge, rows - 2 * edge)
    cv2.grabCut(small, labels, inner, *models, 4, cv2.GC_INIT_WITH_RECT)
    found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    found = np.asarray(cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)), np.uint8)
    count, places, stats, _ = cv2.connectedComponentsWithStats(found)
    if count < 2:
        return np.ones((height, width), np.bool_)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    part = (places == largest).astype(np.uint8)
    outline, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(part, outline, -1, 1, cv2.FILLED)
    part = np.asarray(cv2.erode(part, np.ones((3, 3), np.uint8), borderValue=1), np.uint8)  # what is half ground is out
    rim = part[edge : rows - edge, edge : columns - edge]
    sides = (rim[0], rim[-1], rim[:, 0], rim[:, -1])
    if part.mean() < 0.02 or all(side.mean() > 0.5 for side in sides):
        return np.ones((height, width), np.bool_)
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8).astype(np.bool_)


def _inside_px(part: NDArray[np.bool_], side: int) -> Floats:
    mask = np.zeros((side + 2, side + 2), np.uint8)  # a ring of ground, so that the picture's edge is an edge
    mask[1 : part.shape[0] + 1, 1 : part.shape[1] + 1] = part
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray((inside - 0.5 * (mask == 0))[1:-1, 1:-1], np.float32)


def _toward(photo: NDArray[np.uint8], part: NDArray[np.bool_]) -> tuple[float, float]:
    """Whence the part is lit: along which direction its face brightens; from above where that can't be told."""
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    y, x = np.nonzero(part)
    if len(x) < 100:
        return 0.0, -1.0
    level = gray[part] - gray[part].mean()
    slope = np.array([float(((x - x.mean()) * level).mean()), float(((y - y.mean()) * level).mean())])
    length = float(np.hypot(*slope))
    return (float(slope[0] / length), float(slope[1] / length)) if length > 1e-6 else (0.0, -1.0)


def _softness(photo: NDArray[np.uint8]) -> float:
    """Deviation in px by which the camera softens an edge, by how sharp its sharpest ones are (0.5 to 2.5)."""
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    slope = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(gray, cv2.CV_32F, 0, 1) / 8)
    step = float(np.quantile(gray, 0.98) - np.quantile(gray, 0.02))
    sharpest = float(np.quantile(slope, 0.998))
    return float(np.clip(step / (2.5 * sharpest + 1e-6), 0.5, 2.5))
