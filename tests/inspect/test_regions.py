import numpy as np
import pytest

from trialsight.regions import MAX_REGIONS, find_regions


def blank() -> np.ndarray:
    return np.zeros((8, 16), np.float32)


def test_nothing_above_the_threshold_is_no_region() -> None:
    assert find_regions(blank(), 0.5, (160, 80)) == ()


def test_regions_come_strongest_first_and_touching_corners_are_one() -> None:
    scores = blank()
    scores[1, 1] = scores[2, 2] = 0.6  # diagonal neighbours
    scores[6, 10:14] = 0.9
    strong, weak = find_regions(scores, 0.5, (160, 80))
    assert strong.box_px == (100, 60, 40, 10)
    assert (strong.area_px, strong.peak) == (400, pytest.approx(0.9))
    assert weak.box_px == (10, 10, 20, 20)
    assert weak.area_px == 200


def test_unequal_scales_stretch_each_side_by_its_own() -> None:
    scores = blank()
    scores[0, 0] = 1.0
    (region,) = find_regions(scores, 1.0, (32, 80), mm_per_px=0.1)
    assert region.box_px == (0, 0, 2, 10)
    assert region.area_mm2 == pytest.approx(0.2)


def test_speckle_cannot_flood_the_answer() -> None:
    scores = np.zeros((64, 64), np.float32)
    scores[::2, ::2] = np.linspace(1, 2, 32 * 32, dtype=np.float32).reshape(32, 32)
    found = find_regions(scores, 0.5, (64, 64))
    assert len(found) == MAX_REGIONS
    assert found[0].peak == pytest.approx(2.0)
