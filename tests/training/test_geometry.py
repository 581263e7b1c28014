"""The model's input from the view, as a table."""

import pytest

from trialsight.errors import TrialsightError
from trialsight.geometry.shapes import Shape
from trialsight.recipe import Input, Recipe, View
from trialsight_training.geometry import preparation_for

# frames, size_px, keep_aspect -> input, fixed frame size, decoded at 1/n
TABLE = [
    ("square", [(512, 512)] * 3, 256, True, (256, 256), (512, 512), 2),
    ("a little too small to halve", [(510, 510)], 256, True, (256, 256), (510, 510), 1),
    ("large", [(2048, 2048)], 256, True, (256, 256), (2048, 2048), 4),
    ("long", [(600, 240)], 256, True, (400, 160), (600, 240), 1),
    ("long, squashed", [(600, 240)], 224, False, (224, 224), (600, 240), 1),
    ("portrait", [(576, 768)], 256, True, (224, 288), (576, 768), 2),
    ("sizes that differ", [(512, 512), (600, 500)], 256, True, (272, 240), None, 1),
    ("an odd side halves upwards", [(511, 511)], 256, True, (256, 256), (511, 511), 2),
    ("a strip", [(4000, 60)], 128, True, (1040, 16), (4000, 60), 2),
]


@pytest.mark.parametrize(
    ("sizes", "size_px", "keep", "side", "frame", "reduced"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_preparation(
    sizes: list[tuple[int, int]],
    size_px: int,
    keep: bool,
    side: tuple[int, int],
    frame: tuple[int, int] | None,
    reduced: int,
) -> None:
    found = preparation_for(Recipe(name="a", input=Input(size_px, keep)), sizes)
    assert (found.width_px, found.height_px) == side
    assert (found.frame_width_px, found.frame_height_px) == (frame or (None, None))
    assert found.reduced_decode == reduced


def test_a_region_of_interest_is_cropped_on_multiples_of_eight() -> None:
    recipe = Recipe(
        name="a", input=Input(128), view=View(width_px=500, height_px=400, roi=Shape(rect=(101, 50, 190.5, 347)))
    )
    found = preparation_for(recipe, [(500, 400)])
    assert found.crop_px == (96, 48, 200, 352)
    assert (found.width_px, found.height_px) == (96, 176)
    assert found.reduced_decode == 2


def test_frames_that_are_not_the_views_size_are_refused() -> None:
    recipe = Recipe(name="a", view=View(width_px=512, height_px=512))
    with pytest.raises(TrialsightError, match=r"640x480.*512x512"):
        preparation_for(recipe, [(512, 512), (640, 480)])
