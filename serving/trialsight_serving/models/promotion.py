"""Promote, challenge and roll back: move the aliases, through the gate, and never by half."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy.engine import Connection

from trialsight.card import Card
from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight.image import Limits
from trialsight.inspector import Inspector
from trialsight.package import Package
from trialsight_serving.models.gate import GateReport, run_gate
from trialsight_serving.models.registry import CHALLENGER, CHAMPION, PREVIOUS, Registry
from trialsight_serving.settings import Settings
from trialsight_serving.store import audit
from trialsight_serving.store.audit import operator
from trialsight_serving.store.database import Database, open_database
from trialsight_serving.store.lines import ActiveModel, bind_line, bind_unbound_lines, list_lines, set_active
from trialsight_serving.store.tables import ORGANISATION


@dataclass(frozen=True)
class Change:
    """Who changes something, and why: what the audit trail keeps."""

    by: str
    reason: str = ""

    def record(self, connection: Connection, what: str, recipe: str, old: str | None, new: str | None) -> None:
        """From version `old` to version `new`, with the reason."""
        words = {"version": new} | ({"reason": self.reason} if self.reason else {})
        audit.record(connection, ORGANISATION, self.by, what, f"model/{recipe}", {"version": old}, words)


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


def pass_gate(
    package: Package, recipe: str, version: str, limits: Limits | None = None
) -> tuple[Inspector, GateReport]:
    """Load a version and run its golden frames. Raises GateError naming the frame that failed, or PackageError."""
    if package.card.recipe != recipe:
        raise TrialsightError(
            f"version {version} of {recipe} holds a package of recipe {package.card.recipe}", "train it again"
        )
    inspector = Inspector(package, limits=limits)
    report = run_gate(inspector)
    if not report.ok:
        raise GateError(
            f"the gate refused {recipe} version {version}: {'; '.join(report.problems)}",
            "the champion stays as it is; train again or check the golden frames",
        )
    return inspector, report


def promote(home: Home, recipe: str, version: str, line: str | None = None, change: Change | None = None) -> Promotion:
    """Raises GateError naming the golden frame that failed, PackageError or RegistryError; the alias then stays."""
    started = time.monotonic()
    registry = Registry(home)
    inspector, report = pass_gate(registry.package(recipe, version), recipe, version)
    database = open_database(Settings(home=home.root))
    try:
        done = move_champion(registry, database, inspector.card, version, line, change or Change(operator()))
    finally:
        database.close()
    return replace(done, seconds=round(time.monotonic() - started, 3), gate=report)


def move_champion(
    registry: Registry, database: Database, card: Card, version: str, line: str | None, change: Change
) -> Promotion:
    """The aliases, then pointer and lines in one transaction. Of a version that has passed the gate."""
    started = time.monotonic()
    recipe = card.recipe
    if line is not None:
        _check_line(database, line)
    aliases = registry.aliases().get(recipe, {})
    current = aliases.get(CHAMPION)
    if current is not None and current != version:
        registry.set_alias(recipe, PREVIOUS, current)
    registry.set_alias(recipe, CHAMPION, version)
    if aliases.get(CHALLENGER) == version:
        registry.delete_alias(recipe, CHALLENGER)  # it has won
    with database.write() as connection:
        set_active(connection, ActiveModel(recipe, version, card.graph_sha256, datetime.now(UTC)))
        change.record(connection, "model.promoted", recipe, current, version)
        if line is not None:
            bind_line(connection, line, recipe, who=change.by)
            bound = [line]
        else:
            bound = bind_unbound_lines(connection, recipe, who=change.by)
    previous = current if current != version else aliases.get(PREVIOUS)
    return Promotion(recipe, version, previous, tuple(bound), round(time.monotonic() - started, 3))


def rollback(home: Home, recipe: str, change: Change | None = None) -> Promotion:
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
        swap_aliases(registry, recipe, previous, champion)
        with database.write() as connection:
            set_active(connection, ActiveModel(recipe, previous, package.card.graph_sha256, datetime.now(UTC)))
            (change or Change(operator())).record(connection, "model.rolled_back", recipe, champion, previous)
    finally:
        database.close()
    return Promotion(recipe, previous, champion, (), round(time.monotonic() - started, 3))


def swap_aliases(registry: Registry, recipe: str, champion: str, previous: str) -> None:
    registry.set_alias(recipe, CHAMPION, champion)
    registry.set_alias(recipe, PREVIOUS, previous)


def challenge(home: Home, recipe: str, version: str | None, change: Change | None = None) -> str | None:
    """Let a version that passes the gate run in the champion's shadow; None ends it. Gives the challenger before."""
    registry = Registry(home)
    if version is not None:
        pass_gate(registry.package(recipe, version), recipe, version)
    database = open_database(Settings(home=home.root))
    try:
        return move_challenger(registry, database, recipe, version, change or Change(operator()))
    finally:
        database.close()


def move_challenger(
    registry: Registry, database: Database, recipe: str, version: str | None, change: Change
) -> str | None:
    """Of a version that has passed the gate. Raises TrialsightError where there is no champion, or it is this one."""
    aliases = registry.aliases().get(recipe, {})
    champion, before = aliases.get(CHAMPION), aliases.get(CHALLENGER)
    if champion is None:
        raise TrialsightError(
            f"{recipe} has no champion to be challenged", f"promote one: trialsight promote {recipe} VERSION"
        )
    if version == champion:
        raise TrialsightError(f"{recipe} version {version} is the champion itself", "challenge it with another version")
    if version == before:
        return before
    if version is None:
        registry.delete_alias(recipe, CHALLENGER)
    else:
        registry.set_alias(recipe, CHALLENGER, version)
    with database.write() as connection:
        change.record(connection, "model.challenger", recipe, before, version)
    return before


def _check_line(database: Database, line: str) -> None:
    with database.read() as connection:
        if line not in {found.name for found in list_lines(connection)}:
            raise TrialsightError(f"there is no line {line}", f"add it: trialsight line add {line}")
