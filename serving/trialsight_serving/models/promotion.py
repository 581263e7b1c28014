"""Promote and roll back: move the alias `champion`, through the gate, and never by half."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from trialsight.card import Card
from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight.inspector import Inspector
from trialsight_serving.models.gate import GateReport, run_gate
from trialsight_serving.models.registry import CHAMPION, PREVIOUS, Registry
from trialsight_serving.settings import Settings
from trialsight_serving.store import audit
from trialsight_serving.store.audit import operator
from trialsight_serving.store.database import Database, open_database
from trialsight_serving.store.lines import ActiveModel, bind_line, bind_unbound_lines, set_active
from trialsight_serving.store.tables import ORGANISATION


@dataclass(frozen=True)
class Promotion:
    """`previous`: the version that `rollback` would bring back. `lines`: those newly bound to the recipe."""

    recipe: str
    version: str
    previous: str | None
    lines: tuple[str, ...]
    seconds: float
    gate: GateReport | None = None


class GateError(TrialsightError):
    """The gate refused; the champion stays what it was."""


def promote(home: Home, recipe: str, version: str, line: str | None = None) -> Promotion:
    """Raises GateError naming the golden frame that failed, PackageError or RegistryError; the alias then stays."""
    started = time.monotonic()
    registry = Registry(home)
    inspector = Inspector(registry.package(recipe, version))
    if inspector.card.recipe != recipe:
        raise TrialsightError(
            f"version {version} of {recipe} holds a package of recipe {inspector.card.recipe}", "train it again"
        )
    report = run_gate(inspector)
    if not report.ok:
        raise GateError(
            f"{recipe} version {version} is not promoted: {'; '.join(report.problems)}",
            "the champion stays as it is; train again or check the golden frames",
        )
    database = open_database(Settings(home=home.root))
    try:
        if line is not None:
            _check_line(database, line)
        aliases = registry.aliases().get(recipe, {})
        current = aliases.get(CHAMPION)
        if current is not None and current != version:
            registry.set_alias(recipe, PREVIOUS, current)
        registry.set_alias(recipe, CHAMPION, version)
        bound = _activate(database, inspector.card, version, line, "model.promoted", current)
    finally:
        database.close()
    previous = current if current != version else aliases.get(PREVIOUS)
    return Promotion(recipe, version, previous, tuple(bound), round(time.monotonic() - started, 3), report)


def rollback(home: Home, recipe: str) -> Promotion:
    """Swap `champion` and `previous`; the version went through the gate when it was promoted."""
    started = time.monotonic()
    registry = Registry(home)
    aliases = registry.aliases().get(recipe, {})
    champion, previous = aliases.get(CHAMPION), aliases.get(PREVIOUS)
    if champion is None or previous is None:
        raise TrialsightError(f"{recipe} has no earlier champion to go back to", "promote a version instead")
    package = registry.package(recipe, previous)
    database = open_database(Settings(home=home.root))
    try:
        registry.set_alias(recipe, CHAMPION, previous)
        registry.set_alias(recipe, PREVIOUS, champion)
        _activate(database, package.card, previous, None, "model.rolled_back", champion)
    finally:
        database.close()
    return Promotion(recipe, previous, champion, (), round(time.monotonic() - started, 3))


def _check_line(database: Database, line: str) -> None:
    from trialsight_serving.store.lines import list_lines

    with database.read() as connection:
        if line not in {found.name for found in list_lines(connection)}:
            raise TrialsightError(f"there is no line {line}", f"add it: trialsight line add {line}")


def _activate(
    database: Database, card: Card, version: str, line: str | None, what: str, before: str | None
) -> list[str]:
    """Point the database at the version, so that a service starts with it when MLflow is away; bind lines."""
    who = operator()
    with database.write() as connection:
        set_active(connection, ActiveModel(card.recipe, version, card.graph_sha256, datetime.now(UTC)))
        change = {"version": before}, {"version": version, "graph_sha256": card.graph_sha256}
        audit.record(connection, ORGANISATION, who, what, f"model/{card.recipe}", *change)
        if line is not None:
            bind_line(connection, line, card.recipe, who=who)
            return [line]
        return bind_unbound_lines(connection, card.recipe, who=who)
