"""Choosing thresholds: a new version of the recipe, its audit record, and the line goes by them."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Connection

from trialsight.chosen import Chosen
from trialsight.errors import TrialsightError
from trialsight.package import RECIPE
from trialsight.recipe import Costs, Recipe, load_recipe, parse_recipe
from trialsight.structure import structure
from trialsight.verdict import Thresholds, Verdict
from trialsight_serving.models.shelf import LiveModel
from trialsight_serving.store import audit
from trialsight_serving.store.recipes import RecipeRecord, find_recipe, recipe_versions, save_recipe

HISTORY = 12


class ChangedError(TrialsightError):
    """Somebody else saved the recipe, or another version went live, since it was looked at."""


class UnsafeError(TrialsightError):
    """A defect that the package itself knows would pass."""


@dataclass(frozen=True)
class Choice:
    """`chosen` None: back to the calibration's. `costs` None: as they are. `based_on`: the recipe's version seen."""

    chosen: Chosen | None
    costs: Costs | None
    based_on: str | None
    who: str
    reason: str


def recipe_of(connection: Connection, organisation: str, model: LiveModel) -> tuple[Recipe | None, str | None]:
    """The newest saved recipe and its version; before any was saved, the one that the model was trained by."""
    record = find_recipe(connection, organisation, model.recipe)
    if record is not None:
        return parse_recipe(record.content), record.sha256
    file = model.inspector.package.folder / RECIPE
    return (load_recipe(file) if file.is_file() else None), None


def choose(connection: Connection, organisation: str, model: LiveModel, choice: Choice) -> RecipeRecord:
    """In one transaction. Raises ChangedError, UnsafeError, or TrialsightError where there is no recipe to change."""
    recipe, version = recipe_of(connection, organisation, model)
    if version != choice.based_on:
        raise ChangedError(f"recipe {model.recipe} was saved by somebody else meanwhile", "look at it again")
    if recipe is None:
        raise TrialsightError(
            f"model {model.recipe} version {model.version} came without its recipe",
            f"save it first: PUT /v1/recipes/{model.recipe}",
        )
    thresholds = {name: one for name, one in recipe.thresholds.items() if name != model.version}
    after = model.card.thresholds
    if choice.chosen is not None:
        after = choice.chosen.thresholds(model.inspector.package)
        _check_golden(model, after)
        thresholds[model.version] = choice.chosen
    calibration = recipe.calibration if choice.costs is None else replace(recipe.calibration, costs=choice.costs)
    changed = replace(recipe, thresholds=thresholds, calibration=calibration)
    now = datetime.now(UTC)
    record = RecipeRecord(model.recipe, changed.content_hash(), changed.to_json(), choice.who, now)
    saved = save_recipe(connection, organisation, record)
    before = recipe.thresholds.get(model.version)
    if before != choice.chosen:
        old = model.card.thresholds if before is None else before.thresholds(model.inspector.package)
        new = _said(model, after) | {"reason": choice.reason, "calibrated": choice.chosen is None}
        subject = f"recipe/{model.recipe}"
        audit.record(connection, organisation, choice.who, "thresholds.chosen", subject, _said(model, old), new, now)
    return saved


def history(connection: Connection, organisation: str, model: LiveModel) -> list[tuple[RecipeRecord, Chosen | None]]:
    """Saves that changed the thresholds of the model's version, newest first, and what they were from then on."""
    found: list[tuple[RecipeRecord, Chosen | None]] = []
    before: Chosen | None = None
    for record in reversed(recipe_versions(connection, organisation, model.recipe, 20 * HISTORY)):
        said = record.content.get("thresholds", {}).get(model.version)
        chosen = None if said is None else structure(Chosen, said)
        if chosen != before:
            found.append((record, chosen))
        before = chosen
    return found[: -HISTORY - 1 : -1]


def _said(model: LiveModel, thresholds: Thresholds) -> dict[str, Any]:
    return {"model": model.version, "t1": thresholds.t1, "t2": thresholds.t2}


def _check_golden(model: LiveModel, thresholds: Thresholds) -> None:
    for frame in model.gate.results:
        if frame.expected is Verdict.REJECT and frame.score is not None and frame.score < thresholds.t1:
            raise UnsafeError(
                f"golden frame {frame.file} shows a defect (score {frame.score:.4g}) and would pass below "
                f"T1 {thresholds.t1:.4g}",
                "choose a lower T1",
            )
