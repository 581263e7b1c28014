"""A new variant from the nearest one that is known: its recipe with rules and costs, and a model that starts from its.

The older variant is told by its pictures: the one whose training frames' mean feature lies nearest to the new parts'.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from trialsight.card import Promise, parts_needed
from trialsight.errors import FrameError, PackageError, RecipeError, TrialsightError
from trialsight.files import write_atomic
from trialsight.home import ORGANISATION, Home, model_name
from trialsight.inspector import Inspector
from trialsight.package import CARD
from trialsight.recipe import NAME, Recipe, parse_recipe
from trialsight_serving.models.gate import recipe_of
from trialsight_serving.models.registry import Registry
from trialsight_serving.store.database import Database
from trialsight_serving.store.recipes import RecipeRecord, find_recipe, save_recipe

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
LOOKED_AT = 5  # of the new parts' pictures, to find the nearest variant
CONFIDENCE = 0.95
Run = Callable[[list[str]], dict[str, Any]]


@dataclass(frozen=True)
class Older:
    """A variant's model. `distance`: cosine, from its training frames to the new parts; None where nobody looked."""

    recipe: str
    version: str
    distance: float | None


@dataclass(frozen=True)
class NewVariant:
    """`parts_needed`: good parts for the false-reject promise that the recipe asks for."""

    recipe: str
    version: str
    older: Older
    parts: int
    parts_needed: int
    promise: Promise
    transferred: bool
    examples: int
    recipe_file: str
    seconds: dict[str, float]


def pictures(folder: Path) -> list[Path]:
    """Raises TrialsightError where there is none."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not found:
        raise TrialsightError(f"{folder} holds no picture", "give a folder with pictures of good parts of the variant")
    return found


def known_variants(home: Home, registry: Registry, organisation: str = ORGANISATION) -> dict[str, str]:
    """Recipe to its champion, or its newest version in the home."""
    champions, found = registry.champions(), {}
    prefix = model_name("", organisation)
    for folder in sorted(home.packages.glob(f"{prefix}[a-z0-9]*")):
        recipe = folder.name.removeprefix(prefix)
        versions = [path.name for path in folder.iterdir() if path.name.isdecimal() and (path / CARD).is_file()]
        if versions and NAME.fullmatch(recipe):
            champion = champions.get(recipe)
            found[recipe] = champion if champion in versions else max(versions, key=int)
    return found


def nearest(registry: Registry, known: dict[str, str], frames: Sequence[Path]) -> Older:
    """Raises TrialsightError where no known variant's model can tell."""
    told = []
    for recipe, version in known.items():
        distance = _distance(registry, recipe, version, frames[:LOOKED_AT])
        if distance is not None:
            told.append(Older(recipe, version, distance))
    if not told:
        raise TrialsightError(
            "no known variant's model can look at these pictures",
            "name the variant to start from: --from RECIPE; or train from nothing: trialsight train",
        )
    return min(told, key=lambda one: one.distance or 0.0)


def recipe_for(older: Recipe, name: str) -> Recipe:
    """All that the older variant's says, with what people chose for that one's models left out. Raises RecipeError."""
    view = older.view
    if view.registration is not None:
        view = replace(view, registration=replace(view.registration, reference=None))
    return parse_recipe(replace(older, name=name, variant=name, view=view, thresholds={}).to_json())


def new_variant(
    home: Home,
    database: Database,
    registry: Registry,
    good: Path,
    name: str,
    start: str | None,
    who: str,
    run: Run,
    organisation: str = ORGANISATION,
) -> NewVariant:
    """`start`: RECIPE or RECIPE/VERSION, None for the nearest. The recipe is saved once there is a model of it.

    Raises TrialsightError where the name is taken, or training fails; nothing is kept then.
    """
    frames, known = pictures(good), known_variants(home, registry, organisation)
    _check_name(database, name, known, organisation)
    older = nearest(registry, known, frames) if start is None else _named(start, known)
    recipe = recipe_for(_newest_recipe(database, registry, older, organisation), name)
    file = home.root / "recipes" / f"{model_name(name, organisation)}.yaml"
    write_atomic(file, recipe.to_yaml().encode())
    words = ["train", "--data", str(good), "--recipe", str(file), "--from"]
    words += [f"{model_name(older.recipe, organisation)}/{older.version}", "--home", str(home.root)]
    try:
        made = run([*words, "--organisation", organisation])
    except TrialsightError:
        file.unlink(missing_ok=True)
        raise
    record = RecipeRecord(name, recipe.content_hash(), recipe.to_json(), who, datetime.now(UTC))
    with database.write() as connection:
        save_recipe(connection, organisation, record)
    card = registry.package(name, made["version"]).card
    origin = card.provenance.variant_of
    assert origin is not None
    return NewVariant(
        recipe=name,
        version=made["version"],
        older=older,
        parts=len(card.calibration_scores),
        parts_needed=parts_needed(recipe.calibration.false_reject, recipe.calibration.confidence or CONFIDENCE),
        promise=card.promise,
        transferred=origin.transferred,
        examples=origin.examples,
        recipe_file=str(file),
        seconds=made["seconds"],
    )


def _check_name(database: Database, name: str, known: dict[str, str], organisation: str) -> None:
    if not NAME.fullmatch(name):
        raise RecipeError(f"{name!r} can't be a recipe's name", "1-63 of a-z, 0-9, '-' and '_': give --name")
    with database.read() as connection:
        taken = name in known or find_recipe(connection, organisation, name) is not None
    if taken:
        raise TrialsightError(f"there is a recipe {name} already", "give another --name")


def _named(start: str, known: dict[str, str]) -> Older:
    recipe, _, version = start.partition("/")
    if recipe not in known:
        raise TrialsightError(f"there is no model of {recipe} in this home", f"known are {', '.join(known) or 'none'}")
    return Older(recipe, version or known[recipe], None)


def _newest_recipe(database: Database, registry: Registry, older: Older, organisation: str) -> Recipe:
    """As it was saved last, else as the model was trained by it."""
    with database.read() as connection:
        saved = find_recipe(connection, organisation, older.recipe)
    if saved is not None:
        return parse_recipe(saved.content)
    return recipe_of(registry.package(older.recipe, older.version).folder)


def _distance(registry: Registry, recipe: str, version: str, frames: Sequence[Path]) -> float | None:
    """None where its model can't look at the frames, or tells nothing of a product."""
    try:
        inspector = Inspector(registry.package(recipe, version))
        seen = [inspector(frame.read_bytes()).embedding for frame in frames]
    except (PackageError, FrameError):
        return None
    likeness = inspector.card.judging.likeness
    rows = [one for one in seen if one is not None]
    if likeness is None or not rows or len(rows[0]) != len(likeness.center):
        return None
    center, mean = np.array(likeness.center), np.mean(rows, axis=0)
    return round(1.0 - float(center @ mean) / float(np.linalg.norm(center) * np.linalg.norm(mean)), 6)
