"""Good parts as they might also have lain: few parts show few poses, and the next one lies between or beyond them."""

import os
import threading
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.recipe import Augment

Frame = NDArray[np.uint8]

# They hold their own random state: shared between threads, one part's lot would depend on another's turn.
_of_thread = threading.local()


def moved(pixels: Frame, bounds: Augment, rng: np.random.Generator) -> Frame:
    """An (H, W, 3) RGB frame varied by lot within `bounds`. Edges are mirrored: a border would be learned as good."""
    return np.ascontiguousarray(_drawn(bounds, rng)(image=pixels)["image"])


def _drawn(bounds: Augment, rng: np.random.Generator) -> Any:
    """The transforms, their next draw decided by `rng`."""
    if getattr(_of_thread, "bounds", None) != bounds:
        _of_thread.bounds, _of_thread.transforms = bounds, _compose(bounds)
    _of_thread.transforms.set_random_seed(int(rng.integers(2**31)))
    return _of_thread.transforms


def _compose(bounds: Augment) -> Any:
    # Albumentations would ask the internet for a newer version of itself when it is imported.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations as A

    found: list[Any] = []
    if bounds.rotation_deg or bounds.shift or bounds.scale:
        found.append(
            A.Affine(
                rotate=(-bounds.rotation_deg, bounds.rotation_deg),
                translate_percent=dict.fromkeys("xy", (-bounds.shift, bounds.shift)),
                scale=(1 - bounds.scale, 1 + bounds.scale),
                keep_ratio=True,
                interpolation=cv2.INTER_LINEAR,
                border_mode=cv2.BORDER_REFLECT_101,
                p=1,
            )
        )
    found += [{"horizontal": A.HorizontalFlip, "vertical": A.VerticalFlip}[way](p=0.5) for way in bounds.flip]
    if bounds.brightness:
        found.append(A.MultiplicativeNoise(multiplier=(1 - bounds.brightness, 1 + bounds.brightness), p=1))
    if bounds.blur_px:
        found.append(A.GaussianBlur(sigma_limit=(0.01, max(0.01, bounds.blur_px)), blur_limit=0, p=1))
    if bounds.noise:
        found.append(A.GaussNoise(std_range=(0, bounds.noise), p=1))
    return A.Compose(found)
