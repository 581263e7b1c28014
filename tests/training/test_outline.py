"""The share at which outlines are drawn is learned from masks, and only from enough of them."""

import cv2
import numpy as np
import torch

from trialsight.regions import Morphology, region_mask
from trialsight_training.outline import with_outline


def blurred_defects(count: int) -> tuple[torch.Tensor, list[torch.Tensor | None]]:
    """Maps at a quarter of the masks' size, blurred far beyond the defects, some strong, some weak."""
    rng, maps, masks = np.random.default_rng(0), [], []
    for index in range(count):
        mask = np.zeros((128, 128), np.float32)
        x, y = rng.integers(30, 90, 2)
        mask[y : y + 12, x : x + 16] = 1
        small = cv2.resize(mask, (32, 32), interpolation=cv2.INTER_AREA)
        maps.append((1 + index) * cv2.GaussianBlur(small, (0, 0), 2.5))
        masks.append(torch.from_numpy(mask > 0))
    return torch.from_numpy(np.stack(maps)), masks


def test_outlines_fit_labelled_masks_better_than_the_common_threshold() -> None:
    maps, masks = blurred_defects(6)
    threshold = 0.05
    learned = with_outline(Morphology(close_px=1), maps, masks, threshold)
    assert learned.outline is not None and learned.outline > 0.2 and learned.close_px == 1
    plain, better = (
        np.mean([region_mask(one.numpy(), threshold, form).sum() / 12 for one in maps])  # a mask covers 12 cells
        for form in (Morphology(), learned)
    )
    assert plain > 2 * better > 1


def test_what_is_asked_or_cannot_be_learned_stays() -> None:
    maps, masks = blurred_defects(6)
    assert with_outline(Morphology(outline=0.3), maps, masks, 0.05).outline == 0.3
    assert with_outline(Morphology(), maps, [*masks[:2], None, None, None, None], 0.05).outline is None
    assert with_outline(Morphology(), maps, masks, 100.0).outline is None, "none of them shows"
    assert with_outline(Morphology(), maps[:0], masks, 0.05).outline is None
