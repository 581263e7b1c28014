"""Good parts as they might also have lain: few parts show few poses, and the next one lies between or beyond them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.recipe import Augment


def moved(pixels: NDArray[np.uint8], bounds: Augment, rng: np.random.Generator) -> NDArray[np.uint8]:
    """An (H, W, 3) RGB frame turned, shifted and lit by lot. Edges are mirrored: a border would be learned as good."""
    height, width = pixels.shape[:2]
    turn = rng.uniform(-bounds.rotation_deg, bounds.rotation_deg)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, 1.0)
    dx, dy = rng.uniform(-bounds.shift, bounds.shift, 2)
    matrix[:, 2] += np.array([dx * width, dy * height])
    turned = cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    light = 1 + rng.uniform(-bounds.brightness, bounds.brightness)
    return np.asarray(cv2.convertScaleAbs(turned, alpha=light), np.uint8)
