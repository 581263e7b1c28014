import cv2
import numpy as np
import pytest

from trialsight.geometry.scale import Scale
from trialsight.geometry.shapes import Shape, rasterise
from trialsight.regions import MAX_REGIONS, Morphology, find_regions


def blank() -> np.ndarray:
    return np.zeros((8, 16), np.float32)


def test_nothing_above_the_threshold_is_no_region() -> None:
    assert find_regions(blank(), 0.5, (0, 0, 160, 80)) == ()


def test_regions_come_strongest_first_and_touching_corners_are_one() -> None:
    scores = blank()
    scores[1, 1] = scores[2, 2] = 0.6  # diagonal neighbours
    scores[6, 10:14] = 0.9
    strong, weak = find_regions(scores, 0.5, (0, 0, 160, 80))
    assert strong.box_px == (100, 60, 40, 10)
    assert (strong.area_px, strong.peak) == (400, pytest.approx(0.9))
    assert (strong.length_px, strong.width_px, strong.center_px) == (40, 10, (120, 65))
    assert weak.box_px == (10, 10, 20, 20)
    assert weak.area_px == 200


def test_unequal_scales_stretch_each_side_by_its_own() -> None:
    scores = blank()
    scores[0, 0] = 1.0
    (region,) = find_regions(scores, 1.0, (0, 0, 32, 80), Scale(mm_per_px=0.1))
    assert region.box_px == (0, 0, 2, 10)
    assert region.area_mm2 == pytest.approx(0.2)


@pytest.mark.parametrize("angle", [0, 17, 45, 90, 133])
def test_length_width_and_direction_of_a_turned_bar(angle: float) -> None:
    box = Shape(polygon=tuple((float(x), float(y)) for x, y in cv2.boxPoints(((300, 300), (400, 30), angle))))
    scores = rasterise(box, (600, 600), (0, 0, 600, 600)).astype(np.float32)
    (region,) = find_regions(scores, 0.5, (0, 0, 600, 600), Scale(mm_per_px=0.05))
    assert region.length_px == pytest.approx(400, rel=0.005)
    assert region.width_px == pytest.approx(30, abs=1)
    assert region.length_mm == pytest.approx(20, rel=0.005)
    assert region.area_mm2 == pytest.approx(400 * 30 * 0.05**2, rel=0.015)  # the edge cells of a turned bar
    assert min(abs(region.angle_deg - angle), 180 - abs(region.angle_deg - angle)) < 1


def test_speckle_is_dropped_but_never_the_strongest_region() -> None:
    scores = blank()
    scores[1, 1] = 0.9  # one pixel, strongest
    scores[4, 4] = 0.6  # one pixel
    scores[6, 8:12] = 0.7
    found = find_regions(scores, 0.5, (0, 0, 16, 8), morphology=Morphology(min_area_px=3))
    assert [round(region.peak, 1) for region in found] == [0.9, 0.7]


def test_closing_joins_the_pieces_of_a_scratch() -> None:
    scores = blank()
    scores[4, 0:4] = scores[4, 6:16] = 1.0
    assert len(find_regions(scores, 0.5, (0, 0, 16, 8))) == 2
    (whole,) = find_regions(scores, 0.5, (0, 0, 16, 8), morphology=Morphology(close_px=2))
    assert whole.length_px == 16
    assert whole.box_px == (0, 4, 16, 1)


def test_each_region_has_its_own_threshold_between_the_common_one_and_its_peak() -> None:
    y, x = np.mgrid[0:64, 0:128]
    strong = 2.0 * np.exp(-((x - 30) ** 2 + (y - 32) ** 2) / (2 * 6.0**2))
    weak = 0.7 * np.exp(-((x - 95) ** 2 + (y - 32) ** 2) / (2 * 6.0**2))
    scores = (strong + weak).astype(np.float32)
    window = (0.0, 0.0, 128.0, 64.0)
    for share in (0.0, 0.5):
        found = find_regions(scores, 0.4, window, morphology=Morphology(outline=share))
        assert [round(one.peak, 1) for one in found] == [2.0, 0.7]
        for one in found:  # a Gaussian's cut at a level is a disc of radius sigma sqrt(2 ln(peak / level))
            level = 0.4 + share * (one.peak - 0.4)
            assert one.area_px == pytest.approx(np.pi * 6.0**2 * 2 * np.log(one.peak / level), rel=0.06)
            assert one.box_px[2] == pytest.approx(2 * 6.0 * np.sqrt(2 * np.log(one.peak / level)), abs=1.5)
            assert one.center_px == pytest.approx((30.5 if one.peak > 1 else 95.5, 32.5), abs=0.1)


def test_speckle_cannot_flood_the_answer() -> None:
    scores = np.zeros((64, 64), np.float32)
    scores[::2, ::2] = np.linspace(1, 2, 32 * 32, dtype=np.float32).reshape(32, 32)
    found = find_regions(scores, 0.5, (0, 0, 64, 64))
    assert len(found) == MAX_REGIONS
    assert found[0].peak == pytest.approx(2.0)
