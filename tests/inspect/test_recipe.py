from pathlib import Path

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
