"""Copies of a part lie within the bounds, and follow the seed."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trialsight.card import Preparation
from trialsight.errors import TrialsightError
from trialsight.prepare import Preparer
from trialsight.recipe import Augment
from trialsight_datasets.sample import ImageSet
from trialsight_training import frames
from trialsight_training.augment import moved
from trialsight_training.backbones import create_backbone
from trialsight_training.erasure import check_augment


def dot(x: int, y: int) -> NDArray[np.uint8]:
    frame = np.full((100, 100, 3), 100, np.uint8)
    frame[y - 2 : y + 3, x - 2 : x + 3] = 250
    return frame


def center_of(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.argwhere(frame[..., 0] > 170).mean(axis=0)


def test_shift_turn_and_light_stay_within_their_bounds() -> None:
    rng = np.random.default_rng(0)
    shifts = [center_of(moved(dot(50, 50), Augment(1, 0, 0.05, 0), rng)) - 50 for _ in range(50)]
    assert 3 < np.abs(shifts).max() <= 5.5  # whole pixels, cut towards 0
    turns = [center_of(moved(dot(90, 50), Augment(1, 5, 0, 0), rng))[0] - 49.5 for _ in range(50)]
    assert 2.5 < np.abs(turns).max() <= 40 * np.sin(np.deg2rad(5)) + 1
    lights = [int(moved(np.full((8, 8, 3), 100, np.uint8), Augment(1, 0, 0, 0.1), rng)[0, 0, 0]) for _ in range(50)]
    assert 90 <= min(lights) < 93 and 107 < max(lights) <= 110


def test_scale_flip_blur_and_noise_stay_within_their_bounds() -> None:
    rng, still = np.random.default_rng(0), {"rotation_deg": 0, "shift": 0, "brightness": 0}
    far = [99 - center_of(moved(dot(90, 50), Augment(1, scale=0.1, **still), rng))[1] for _ in range(50)]
    assert min(far) >= 9 - 4.5 and max(far) <= 9 + 4.5 and max(far) - min(far) > 5  # 40 px from the middle
    sides = {round(center_of(moved(dot(90, 50), Augment(1, flip=("horizontal",), **still), rng))[1]) for _ in range(30)}
    assert sides == {9, 90}
    peaks = [int(moved(dot(50, 50), Augment(1, blur_px=3, **still), rng).max()) for _ in range(30)]
    assert 250 >= max(peaks) > min(peaks) > 100
    plain = np.full((64, 64, 3), 128, np.uint8)
    noise = [float(moved(plain, Augment(1, noise=0.1, **still), rng).std()) for _ in range(30)]
    assert 15 < max(noise) <= 0.1 * 255 + 1


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
        found = frames.study_good(backbone, samples, preparer, Augment(copies), 2, seed)[0].patches[0]
        assert found.parts.bincount().tolist() == [len(found.points) // 2] * 2
        return found.points

    more = patches(2, seed=1)
    assert patches(0, seed=1).shape == (128, 128)
    assert more.shape == (384, 128)
    assert torch.equal(more, patches(2, seed=1))
    assert not torch.equal(more, patches(2, seed=2))
    monkeypatch.setattr(frames, "MAX_PATCHES", 100)
    assert patches(2, seed=1).shape == (96, 128)  # 16 of each of six pictures


def test_many_parts_are_copied_no_more_than_ten_would_be(bracket_set: ImageSet) -> None:
    backbone, preparer = create_backbone("shipped", "shipped", ()), Preparer(Preparation(64, 64))
    samples = [*bracket_set.train, *(one for one in bracket_set.test if one.is_good)][:12]
    found = frames.study_good(backbone, samples, preparer, Augment(copies=1), 2, 0)[0].patches[0]
    pictures = (found.parts.bincount() // 64).tolist()
    assert (len(samples), sum(pictures), max(pictures)) == (12, 22, 2)


def test_a_hundred_parts_need_no_copies(bracket_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "ENOUGH", 4)
    backbone, preparer = create_backbone("shipped", "shipped", ()), Preparer(Preparation(64, 64))
    for parts, pictures in ((3, 6), (4, 4)):
        found = frames.study_good(backbone, bracket_set.train[:parts], preparer, Augment(copies=1), 2, 0)[0]
        assert len(found.patches[0].points) == 64 * pictures


@pytest.mark.parametrize(
    ("bounds", "named"),
    [
        (Augment(), None),
        (Augment(scale=0.1, flip=("horizontal", "vertical"), rotation_deg=180), None),
        (Augment(noise=0.02, blur_px=0.7), None),
        (Augment(copies=0, blur_px=10), None),  # nothing is made of it
        (Augment(blur_px=10), "blur_px 10"),
        (Augment(noise=0.5), "noise 0.5"),
    ],
)
def test_an_augmentation_that_erases_defects_is_refused_by_name(
    bounds: Augment, named: str | None, bracket_set: ImageSet
) -> None:
    good = list(frames.prepared(bracket_set.train[:4], Preparer(Preparation(128, 128))))
    if named is None:
        check_augment(bounds, good, seed=0)
        return
    with pytest.raises(TrialsightError, match=f"augment.{named} erases"):
        check_augment(bounds, good, seed=0)
