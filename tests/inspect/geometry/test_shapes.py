import base64

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialsight.geometry.scale import Scale
from trialsight.geometry.shapes import Shape, rasterise


def picture(mask: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode(".png", mask)[1].tobytes()).decode()


def test_a_mask_is_the_shape_that_its_picture_shows() -> None:
    drawn = np.zeros((40, 80), np.uint8)
    drawn[10:20, 30:70] = 255
    shape = Shape(mask=picture(drawn))
    assert shape.box == (30, 10, 40, 10)
    assert shape.holds(69.5, 19.5)
    assert not shape.holds(70.5, 15)
    assert not shape.holds(-1, 15)
    grid = rasterise(shape, (8, 4), (0, 0, 80, 40))
    assert grid[1, 3:7].all()
    assert grid.sum() == 4


def test_a_rectangle_covers_the_cells_whose_centres_it_holds() -> None:
    mask = rasterise(Shape(rect=(20, 0, 40, 10)), (8, 4), (0, 0, 80, 40))
    expected = np.zeros((4, 8), bool)
    expected[0, 2:6] = True
    assert (mask == expected).all()


def test_a_concave_polygon_leaves_its_notch_out() -> None:
    notch = Shape(polygon=((0, 0), (10, 0), (10, 10), (5, 3), (0, 10)))
    assert notch.holds(5, 1)
    assert not notch.holds(5, 8)
    mask = rasterise(notch, (10, 10), (0, 0, 10, 10))
    assert mask[1].all()
    assert not mask[9, 4:6].any()


@given(
    points=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=3, max_size=3, unique=True),
    x=st.integers(0, 29),
    y=st.integers(0, 29),
)
def test_rasterising_agrees_with_the_point_test_away_from_the_outline(
    points: list[tuple[int, int]], x: int, y: int
) -> None:
    shape = Shape(polygon=tuple(points))
    centre = (x + 0.5, y + 0.5)
    if abs(cv2.pointPolygonTest(shape.outline.astype(np.float32), centre, True)) > 0.01:
        assert rasterise(shape, (30, 30), (0, 0, 30, 30))[y, x] == shape.holds(*centre)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Shape(), "one of the three"),
        (lambda: Shape(mask="no png"), "no PNG"),
        (lambda: Shape(mask=picture(np.zeros((8, 8), np.uint8))), "black all over"),
        (lambda: Shape(rect=(0, 0, 0, 5)), "above 0"),
        (lambda: Shape(polygon=((0, 0), (1, 1))), "three points"),
        (lambda: Scale(), "one of the two"),
        (lambda: Scale(mm_per_px=-1), "above 0"),
        (lambda: Scale(homography=((1, 0, 0), (0, 1, 0), (0, 0, 0))), "invertible"),
        (lambda: Scale(homography=((1, 0), (0, 1))), "3x3"),
    ],
)
def test_shapes_and_scales_that_make_no_sense_are_refused(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
