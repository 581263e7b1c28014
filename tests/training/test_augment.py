"""Copies of a part lie within the bounds, and follow the seed."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trialsight.card import Preparation
from trialsight.prepare import Preparer
from trialsight.recipe import Augment
from trialsight_datasets.sample import ImageSet
from trialsight_training import frames
from trialsight_training.augment import moved
from trialsight_training.backbones import create_backbone


def dot(x: int, y: int) -> NDArray[np.uint8]:
    frame = np.full((100, 100, 3), 100, np.uint8)
    frame[y - 2 : y + 3, x - 2 : x + 3] = 250
    return frame


def center_of(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.argwhere(frame[..., 0] > 170).mean(axis=0)


def test_shift_turn_and_light_stay_within_their_bounds() -> None:
    rng = np.random.default_rng(0)
    shifts = [center_of(moved(dot(50, 50), Augment(1, 0, 0.05, 0), rng)) - 50 for _ in range(50)]
    assert 4 < np.abs(shifts).max() <= 5.5
    turns = [center_of(moved(dot(90, 50), Augment(1, 5, 0, 0), rng))[0] - 49.5 for _ in range(50)]
    assert 2.5 < np.abs(turns).max() <= 40 * np.sin(np.deg2rad(5)) + 1
    lights = [int(moved(np.full((8, 8, 3), 100, np.uint8), Augment(1, 0, 0, 0.1), rng)[0, 0, 0]) for _ in range(50)]
    assert 90 <= min(lights) < 93 and 107 < max(lights) <= 110


def test_without_bounds_nothing_moves() -> None:
    frame = dot(30, 60)
    np.testing.assert_array_equal(moved(frame, Augment(1, 0, 0, 0), np.random.default_rng(0)), frame)


def test_the_memory_chooses_from_copies_too_and_from_no_more_than_it_can_bear(
    bracket_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = create_backbone("shipped", "shipped", ())
    preparer = Preparer(Preparation(64, 64))
    samples = bracket_set.train[:2]

    def patches(copies: int, seed: int) -> torch.Tensor:
        return frames.study_good(backbone, samples, preparer, Augment(copies), 2, seed)[0].patches

    more = patches(2, seed=1)
    assert patches(0, seed=1).shape == (2, 64, 384)
    assert more.shape == (2, 192, 384)
    assert torch.equal(more, patches(2, seed=1))
    assert not torch.equal(more, patches(2, seed=2))
    monkeypatch.setattr(frames, "MAX_PATCHES", 100)
    assert patches(2, seed=1).shape == (2, 50, 384)
