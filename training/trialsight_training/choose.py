"""The recipe of a training: a file, the name of one that is at hand, or a generic one made for the set."""

import re
from dataclasses import replace
from pathlib import Path

from trialsight.errors import RecipeError
from trialsight.recipe import NAME, Recipe, load_recipe

RECIPES = Path("configs/recipes")
OTHER = "resnet18"


def choose_recipe(given: str | None, data: Path, weights: str | None, seed: int | None) -> Recipe:
    """`given` is a path, a name in configs/recipes, or None. `weights` and `seed` override the recipe's own.

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
    folders = (RECIPES, Path(__file__).parents[2] / RECIPES, Path(__file__).parent / "recipes")
    for folder in folders:
        if (path := folder / f"{given}.yaml").is_file():
            return path
    known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    raise RecipeError(f"there is no recipe {given!r}", f"known are {', '.join(known) or 'none'}; or give a .yaml file")


def _sanitised(data: Path) -> str:
    """The folder's name as a recipe name: `My Parts (v2)` is `my-parts-v2`."""
    name = re.sub(r"[^a-z0-9_]+", "-", data.expanduser().resolve().name.lower()).strip("-_")[:63]
    return name or "recipe"
