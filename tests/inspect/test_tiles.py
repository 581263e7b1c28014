"""Large pictures in tiles: cut on the grid, blended without seams, judged as a whole."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsight import Inspector
from trialsight.card import Preparation
from trialsight.geometry.shapes import Shape
from trialsight.judging import Judging
from trialsight.tiles import GRID_PX, Tiles, Tiling

PackageMaker = Callable[..., Path]
sides = st.integers(8, 60).map(lambda units: units * GRID_PX)


@settings(deadline=None, max_examples=50)
@given(width=sides, height=sides, overlap=st.sampled_from([64, 96, 128]))
def test_tiles_lie_on_the_grid_cover_the_picture_and_overlap(width: int, height: int, overlap: int) -> None:
    tiles = Tiles(256, 256, overlap)
    tiling = Tiling((width, height), tiles)
    for axis, whole in ((0, width), (1, height)):
        starts = sorted({corner[axis] for corner in tiling.corners})
        assert (starts[0], starts[-1]) == (0, whole - 256)
        assert all(start % GRID_PX == 0 for start in starts)
        assert all(later - earlier <= 256 - overlap for earlier, later in pairwise(starts))


def test_maps_of_what_is_the_same_in_each_tile_blend_to_the_whole_exactly() -> None:
    tiling = Tiling((768, 512), Tiles(256, 256, 64))
    ys, xs = np.mgrid[:512, :768]
    picture = (np.sin(xs / 40) + np.cos(ys / 25)).astype(np.float32)
    blended = tiling.blend(tile[::4, ::4] for tile in tiling.cut(picture))
    np.testing.assert_allclose(blended, picture[::4, ::4], atol=1e-5)


def test_what_a_tile_sees_wrongly_at_its_own_border_counts_for_nothing() -> None:
    tiling = Tiling((768, 512), Tiles(256, 256, 64))
    wrong = np.zeros((64, 64), np.float32)
    wrong[:, -4:] = 1  # the outermost 16 pixels, a quarter of the overlap
    blended = tiling.blend(wrong for _ in tiling.corners)
    assert blended[:, :-4].max() == 0
    assert blended[:, -4:].min() == 1  # at the picture's own border there is no other tile to ask


def test_all_that_neighbours_share_is_used() -> None:
    tiling = Tiling((384, 256), Tiles(256, 256, 64))  # they share 128 pixels
    wrong = np.zeros((64, 64), np.float32)
    wrong[:, -8:] = 1
    blended = tiling.blend(wrong if corner == (0, 0) else np.zeros_like(wrong) for corner in tiling.corners)
    assert blended.max() == 0


@settings(deadline=None, max_examples=50)
@given(width=sides, height=sides, overlap=st.sampled_from([64, 96, 128]))
def test_every_place_is_seen_by_some_tile(width: int, height: int, overlap: int) -> None:
    tiling = Tiling((width, height), Tiles(256, 256, overlap))
    blended = tiling.blend(np.ones((8, 8), np.float32) for _ in tiling.corners)
    np.testing.assert_allclose(blended, 1, atol=1e-5)


def frame(left: int, top: int) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(124, 133, (512, 768, 3), dtype=np.uint8)
    pixels[top : top + 24, left : left + 40] = 255
    return pixels


PLACES = [(100, 100), (190, 100), (200, 200), (236, 244), (728, 488)]


@pytest.mark.parametrize("judging", [Judging(), Judging(ignore=(Shape(rect=(0, 0, 64, 64)),))], ids=["all", "ignore"])
@pytest.mark.parametrize(("left", "top"), PLACES)
def test_a_defect_across_tiles_is_found_as_in_one_picture(
    make_package: PackageMaker, left: int, top: int, judging: Judging
) -> None:
    whole = Preparation(768, 512, 768, 512)
    tiled = Preparation(768, 512, 768, 512, tiles=Tiles(256, 256, 64))
    expected, found = (
        Inspector.load(make_package(name, preparation=preparation, golden={}, judging=judging))(frame(left, top))
        for name, preparation in (("whole", whole), ("tiled", tiled))
    )
    assert found.verdict is expected.verdict
    assert found.score == pytest.approx(expected.score, rel=1e-5)
    assert [one.box_px for one in found.regions] == [one.box_px for one in expected.regions]
    assert found.defect_map is not None
    np.testing.assert_allclose(found.defect_map, expected.defect_map, atol=1e-5)


@pytest.mark.parametrize(
    ("tiles", "said"),
    [
        ((256, 256, 32), "overlap by 64"),
        ((250, 256, 64), "multiples of 32"),
        ((96, 96, 64), "too small"),
    ],
)
def test_impossible_tiles_are_refused(tiles: tuple[int, int, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Tiles(*tiles)


def test_tiles_larger_than_the_picture_are_refused() -> None:
    with pytest.raises(ValueError, match="larger than the picture"):
        Preparation(128, 128, tiles=Tiles(256, 256, 64))
