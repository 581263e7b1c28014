"""Pasted defects show where their marks say, on known parts alone, and teach what a defect of any kind looks like."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from trialsight.recipe import Augment, DetectorSpec
from trialsight_training.backbones.backbone import Backbone
from trialsight_training.detectors import discriminator, pasted
from trialsight_training.detectors.detector import Defective, Good, Lesson, Patches
from trialsight_training.detectors.graph import Layers, joined, layer_maps
from trialsight_training.detectors.pasted import COPIES, pasted_copies
from trialsight_training.detectors.synthetic import Pixels, blemish
from trialsight_training.progress import Progress

SIDE, STRIDE = 64, 8
QUIET = Progress(silent=True)


class Means(nn.Module):
    """Each cell's mean and contrast."""

    def forward(self, frame: Tensor) -> dict[str, Tensor]:
        gray = frame.mean(1, keepdim=True)
        mean = F.avg_pool2d(gray, STRIDE)
        return {"cells": torch.cat([mean, F.avg_pool2d(gray**2, STRIDE) - mean**2], dim=1)}


BACKBONE = Backbone("means", ("cells",), Means())


def parts(count: int, seed: int = 0) -> Tensor:
    """Gray parts with a little grain."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.asarray(rng.normal(128, 6, (count, SIDE, SIDE, 3)).clip(0, 255), np.uint8))


def with_spot(frames: Tensor, tone: int, side: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Each with a square spot of that tone, and its mask."""
    frames, masks = frames.clone(), []
    for index, frame in enumerate(frames):
        y, x = (7 * index + 3) % (SIDE - side), (11 * index + 5) % (SIDE - side)
        frame[y : y + side, x : x + side] = tone
        mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
        mask[y : y + side, x : x + side] = True
        masks.append(mask)
    return frames, tuple(masks)


def layers(frames: Tensor) -> Layers:
    with torch.no_grad():
        return layer_maps(BACKBONE, frames)


def lesson(good: Tensor, folds: Tensor, defects: Tensor, masks: tuple[Tensor, ...], steps: int = 60) -> Lesson:
    maps = layers(good)
    seen = Good(good, maps, tuple(Patches.of([one.flatten(1).T for one in layer]) for layer in maps.maps), folds)
    wrong = Defective(defects, layers(defects), masks, ("spot",) * len(masks), torch.arange(len(masks)) % 3)
    return Lesson(BACKBONE, seen, wrong, DetectorSpec(name="discriminator", steps=steps), Augment(), 0)


def bright() -> tuple[Tensor, tuple[Tensor, ...]]:
    return with_spot(parts(6, 1), 250, 12)


def test_a_copy_differs_from_its_part_most_where_it_is_marked() -> None:
    good = parts(5)
    with torch.no_grad():
        plain = joined(layers(good))
    copies = pasted_copies(lesson(good, torch.arange(5) % 3, *bright()), QUIET)
    assert copies.parts.bincount().tolist() == [COPIES] * 5
    differs = (copies.maps.float() - plain[copies.parts]).abs().amax(1).flatten(1)
    plain_enough = differs.amax(1) > 0.01  # more than what half precision takes away
    assert int(plain_enough.sum()) > 5
    marked = copies.marks.flatten(1).gather(1, differs.argmax(1, keepdim=True))[:, 0]
    assert bool((marked[plain_enough] == 1).all())
    assert 0 < float(copies.marks.mean()) < 0.5


def test_copies_of_known_parts_alone_are_drawn_and_so_many_are_made_of_many_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pasted, "MOST", 30)
    copies = pasted_copies(lesson(parts(12), torch.arange(12) % 3, *bright()), QUIET)
    assert len(copies.maps) == 30
    known = torch.tensor([2, 7])
    maps, _ = copies.drawn(20, known, torch.Generator().manual_seed(0))
    theirs = copies.maps[torch.isin(copies.parts, known)].float()
    assert all(any(torch.equal(one, other) for other in theirs) for one in maps)


def test_what_is_pasted_comes_from_the_same_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    good = parts(4)
    good[2:] = 255 - good[2:] // 4  # far brighter
    folds = torch.tensor([0, 0, 1, 1])
    donors = []

    def noting(pixels: Pixels, donor: Pixels, rng: np.random.Generator) -> tuple[Pixels, NDArray[np.bool_]]:
        donors.append(int(donor.mean() > 160))
        return blemish(pixels, donor, rng)

    monkeypatch.setattr(pasted, "blemish", noting)
    copies = pasted_copies(lesson(good, folds, *bright()), QUIET)
    assert donors == folds[copies.parts].tolist()


def test_a_kind_that_nobody_labelled_shows_to_the_discriminator() -> None:
    learned = discriminator.learn(lesson(parts(12), torch.arange(12) % 3, *bright()), QUIET)
    unknown, _ = with_spot(parts(8, 2), 112, 5)  # faint: noise on features alone leaves it below good parts
    with torch.no_grad():
        scores = learned.model(unknown)[1]
        good = learned.model(parts(20, 3))[1]
    assert float(scores.min()) > float(good.max())
