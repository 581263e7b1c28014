"""What a command's words mean: a recipe by file or name, a package by folder or version, a set to measure on."""

import re
from dataclasses import replace
from pathlib import Path

from trialsight.errors import PackageError, RecipeError, TrialsightError
from trialsight.home import Home
from trialsight.package import CARD
from trialsight.recipe import NAME, Recipe, load_recipe
from trialsight_datasets import read_image_set
from trialsight_datasets.sample import ImageSet

RECIPES = Path("configs/recipes")
TRAINING = Path("configs/training")
OTHER = "resnet18"


def choose_recipe(given: str | None, data: Path, weights: str | None, seed: int | None) -> Recipe:
    """`given` is a path, a name in configs/recipes or configs/training, or None. `weights` and `seed` override what
    the recipe says.

    Where the recipe's backbone is the shipped one, which has no other weights, other `weights` are those of OTHER.
    """
    recipe = Recipe(name=_sanitised(data)) if given is None else _load(_find(given))
    if seed is not None:
        recipe = replace(recipe, seed=seed)
    if weights is not None:
        detector = recipe.detector
        if (weights == "shipped") == (detector.backbone == "shipped"):
            detector = replace(detector, weights=weights)
        else:
            backbone = "shipped" if weights == "shipped" else OTHER
            detector = replace(detector, backbone=backbone, weights=weights, layers=())
        recipe = replace(recipe, detector=detector)
    return recipe


def choose_package(given: str, home: Home) -> Path:
    """`given` is a package's folder, or RECIPE/VERSION in the home; of other organisations ORGANISATION.RECIPE/VERSION.
    Raises PackageError where there is neither."""
    folder = Path(given).expanduser()
    if (folder / CARD).is_file():
        return folder
    model, _, version = given.partition("/")
    kept = home.package(model, version)
    if (
        NAME.fullmatch(model.rpartition(".")[2])
        and "/" not in model
        and version.isdecimal()
        and (kept / CARD).is_file()
    ):
        return kept
    known = sorted(
        f"{path.parent.parent.name}/{path.parent.name}" for path in home.packages.glob(f"[!.]*/[!.]*/{CARD}")
    )
    raise PackageError(
        f"{given} is neither a package's folder nor a version in {home.root}",
        f"versions there are {', '.join(known) or 'none'}",
    )


def measured_set(data: Path) -> ImageSet:
    """Raises TrialsightError where it has nothing to measure on."""
    image_set = read_image_set(data)
    if not image_set.test:
        raise TrialsightError(f"{data} has no test parts", "give a set with a test split")
    return image_set


def _load(path: Path) -> Recipe:
    """With the reference picture's path taken from where the recipe lies."""
    recipe = load_recipe(path)
    registration = recipe.view.registration
    if registration is None or registration.reference is None:
        return recipe
    found = replace(registration, reference=str(path.parent / registration.reference))
    return replace(recipe, view=replace(recipe.view, registration=found))


def _find(given: str) -> Path:
    if not NAME.fullmatch(given):
        return Path(given)
    # Beside the caller, else in the checkout that this code lies in, else in the wheel.
    checkout = Path(__file__).parents[2]
    folders = (RECIPES, TRAINING, checkout / RECIPES, checkout / TRAINING, Path(__file__).parent / "recipes")
    for folder in folders:
        if (path := folder / f"{given}.yaml").is_file():
            return path
    known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    raise RecipeError(f"there is no recipe {given!r}", f"known are {', '.join(known) or 'none'}; or give a .yaml file")


def _sanitised(data: Path) -> str:
    """The folder's name as a recipe name: `My Parts (v2)` is `my-parts-v2`."""
    name = re.sub(r"[^a-z0-9_]+", "-", data.expanduser().resolve().name.lower()).strip("-_")[:63]
    return name or "recipe"
