"""Where in the blur around a defect its outline lies, as labelled masks show it."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trialsight.regions import Morphology, region_mask

SHARES = tuple(round(0.1 * step, 1) for step in range(9))
# Fewer masks than this decide nothing; of shares as good as the best within TIE the lowest is taken.
FEWEST, TIE = 3, 0.005
# A cell of the map is the defect's where the mask covers so much of it.
COVERED = 0.25


def with_outline(asked: Morphology, maps: Tensor, masks: Sequence[Tensor | None], threshold: float) -> Morphology:
    """`asked`, with the outline that fits the masks best (mean intersection over union) where it names none.

    `maps` (M, h, w): of labelled defects by detectors that didn't learn them; `masks`: (H, W) bool or None of each.
    """
    if asked.outline is not None or len(maps) != len(masks):
        return asked
    shown = [
        (one.numpy(), _small(mask.numpy(), (one.shape[1], one.shape[0])))
        for one, mask in zip(maps, masks, strict=True)
        if mask is not None and mask.any() and float(one.max()) >= threshold
    ]
    if len(shown) < FEWEST:
        return asked
    forms = [replace(asked, outline=share) for share in SHARES]
    fits = [
        float(np.mean([_overlap(region_mask(one, threshold, form), mask) for one, mask in shown])) for form in forms
    ]
    return next(form for form, fit in zip(forms, fits, strict=True) if fit >= max(fits) - TIE)


def _small(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    shares = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(shares >= min(COVERED, float(shares.max())))


def _overlap(found: NDArray[np.bool_], mask: NDArray[np.bool_]) -> float:
    return float((found & mask).sum() / (found | mask).sum())
