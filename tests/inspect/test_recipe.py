from pathlib import Path

import cv2
import numpy as np
import pytest

from trialsight.errors import RecipeError
from trialsight.recipe import Recipe, load_recipe


def test_a_name_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("name: bracket\n")
    assert load_recipe(path) == Recipe(name="bracket")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping"),
        ("name: Bracket!\n", "name 'Bracket!' must be"),
        ("name: a\ncolour: red\n", "unknown field 'colour'"),
        ("name: a\ninput: {size_px: big}\n", r"recipe\.input\.size_px: expected int"),
        ("name: a\ninput: {size_px: 4096}\n", "between 64 and 1024"),
        ("name: a\ndetector: {name: magic}\n", "'magic' is not one of"),
        ("name: a\ndetector: {bank_size: 1}\n", "bank_size"),
        ("name: a\ncalibration: {false_reject: 0.3, review: 0.1}\n", "false_reject <= review"),
        ("name: a\nview: {width_px: 0}\n", "width_px must be above 0"),
        ("name: [a\n", "can't be read"),
        ("deadline_ms: 5\n", "'name' is missing"),
    ],
)
def test_each_fault_names_the_file_and_the_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(path)
    assert "bad.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="does not exist"):
        load_recipe(tmp_path / "none.yaml")


FULL = """
name: bracket
product: 支架
view:
  width_px: 640
  height_px: 480
  scale: {homography: [[0.1, 0, 0], [0, 0.1, 0], [0, 0.0001, 1]]}
  roi: {rect: [20, 20, 600, 440]}
  ignore: [{polygon: [[0, 0], [50, 0], [0, 50]]}]
  zones: {A: {rect: [100, 100, 200, 200]}}
  registration: {max_shift: 0.03}
rules:
  - {name: no long scratch, defect_class: scratch, where: [{measure: length_mm, above: 2.0}]}
  - {name: spots in A, zone: A, where: [{measure: area_mm2, below: 0.5}], at_most: 3, verdict: review}
morphology: {close_px: 2}
health: {frozen_after: 5}
"""


def test_a_full_recipe_round_trips_and_keeps_its_content_hash(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(FULL, encoding="utf-8")
    recipe = load_recipe(first)
    second.write_text(recipe.to_yaml(), encoding="utf-8")
    again = load_recipe(second)
    assert again == recipe
    assert again.content_hash() == recipe.content_hash()
    assert recipe.rules[1].where[0].below == 0.5
    assert recipe.judging(None).scale == recipe.view.scale


def test_any_change_is_another_version(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(FULL, encoding="utf-8")
    before = load_recipe(path).content_hash()
    path.write_text(FULL.replace("above: 2.0", "above: 2.1"), encoding="utf-8")
    assert load_recipe(path).content_hash() != before
    path.write_text("# a comment\n" + FULL, encoding="utf-8")
    assert load_recipe(path).content_hash() == before


@pytest.mark.parametrize(
    ("find", "put", "message"),
    [
        ("zone: A", "zone: C", "zone 'C' is not among A"),
        ("  scale: {homography: [[0.1, 0, 0], [0, 0.1, 0], [0, 0.0001, 1]]}\n", "", "length_mm needs the view's scale"),
        ("rect: [20, 20, 600, 440]", "rect: [20, 20, 700, 440]", "roi reaches beyond the frame of 640x480"),
        ("  width_px: 640\n  height_px: 480\n", "", "shapes need a fixed frame size"),
        ("measure: length_mm", "measure: length_cm", "'length_cm' is not one of"),
        ("frozen_after: 5", "frozen_after: 1", "frozen_after must be at least 2"),
    ],
)
def test_rules_and_shapes_that_cannot_work_are_refused_on_reading(
    tmp_path: Path, find: str, put: str, message: str
) -> None:
    path = tmp_path / "bad.yaml"
    assert find in FULL
    path.write_text(FULL.replace(find, put), encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_a_mask_file_beside_the_recipe_becomes_part_of_it(tmp_path: Path) -> None:
    drawn = np.zeros((48, 64), np.uint8)
    drawn[8:40, 8:56] = 255
    cv2.imwrite(str(tmp_path / "roi.png"), drawn)
    path = tmp_path / "a.yaml"
    path.write_text("name: a\nview: {width_px: 64, height_px: 48, roi: {mask: roi.png}}\n")
    recipe = load_recipe(path)
    assert recipe.view.roi is not None
    assert recipe.view.roi.box == (8, 8, 48, 32)
    (tmp_path / "roi.png").unlink()
    again = tmp_path / "b.yaml"
    again.write_text(recipe.to_yaml())
    assert load_recipe(again).content_hash() == recipe.content_hash()
    with pytest.raises(RecipeError, match=r"roi\.png can't be read"):
        load_recipe(path)
