"""Which recipe a training takes."""

import shutil
from pathlib import Path

import pytest

from trialsight.errors import PackageError, RecipeError
from trialsight.home import Home
from trialsight_training.choose import choose_package, choose_recipe


@pytest.mark.parametrize(
    ("folder", "name"), [("Pump (v2)", "pump-v2"), ("a_b", "a_b"), ("产品", "recipe"), ("x" * 80, "x" * 63)]
)
def test_a_generic_recipe_is_named_after_the_folder(tmp_path: Path, folder: str, name: str) -> None:
    assert choose_recipe(None, tmp_path / folder, None, None).name == name


@pytest.mark.parametrize(
    ("weights", "backbone"),
    [(None, "shipped"), ("shipped", "shipped"), ("random", "resnet18"), ("trunk.pth", "resnet18")],
)
def test_weights_of_another_kind_bring_their_backbone(weights: str | None, backbone: str) -> None:
    detector = choose_recipe(None, Path("parts"), weights, None).detector
    assert (detector.backbone, detector.weights) == (backbone, weights or "shipped")


def test_a_recipes_own_backbone_keeps_its_layers_when_the_weights_change(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text("name: r\ndetector: {backbone: resnet34, weights: random, layers: [layer1]}\nseed: 3\n")
    recipe = choose_recipe(str(file), tmp_path, "trunk.pth", 7)
    assert (recipe.detector.backbone, recipe.detector.weights, recipe.detector.layers) == (
        "resnet34",
        "trunk.pth",
        ("layer1",),
    )
    assert recipe.seed == 7


def test_a_reference_picture_lies_beside_its_recipe(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text("name: r\nview: {registration: {reference: golden.png}}\n")
    registration = choose_recipe(str(file), tmp_path, None, None).view.registration
    assert registration is not None
    assert registration.reference == str(tmp_path / "golden.png")


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"'nosuch'.*bracket, casting"):
        choose_recipe("nosuch", Path("parts"), None, None)


def test_a_package_is_named_by_its_folder_or_by_recipe_and_version(make_package: "object", tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    folder = make_package()  # type: ignore[operator]
    assert choose_package(str(folder), home) == folder
    kept = home.package("bracket", "2")
    shutil.copytree(folder, kept)
    assert choose_package("bracket/2", home) == kept
    for given in ("bracket/3", "../bracket/2", "bracket"):
        with pytest.raises(PackageError, match=r"neither .* bracket/2"):
            choose_package(given, home)
