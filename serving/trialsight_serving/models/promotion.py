"""Promote, challenge and roll back from the command line; a running service follows within a second."""

import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

from trialsight.errors import TrialsightError
from trialsight.home import ORGANISATION, Home
from trialsight_serving.models.changes import (
    Challenge,
    Change,
    Promotion,
    look_challenger,
    move_challenger,
    move_champion,
    pass_gate,
    swap_aliases,
)
from trialsight_serving.models.registry import CHAMPION, PREVIOUS, Registry
from trialsight_serving.settings import Settings
from trialsight_serving.store.audit import operator
from trialsight_serving.store.database import open_database
from trialsight_serving.store.lines import ActiveModel, set_active


def promote(
    home: Home,
    recipe: str,
    version: str,
    line: str | None = None,
    reason: str = "",
    organisation: str = ORGANISATION,
) -> Promotion:
    """Raises GateError naming the golden frame that failed, PackageError or RegistryError; the alias then stays."""
    started = time.monotonic()
    registry = Registry(home, organisation)
    inspector, report = pass_gate(registry.package(recipe, version), recipe, version)
    with closing(open_database(Settings(home=home.root))) as database:
        done = move_champion(
            registry, database, inspector.card, version, line, Change(operator(), reason, organisation)
        )
    return replace(done, seconds=round(time.monotonic() - started, 3), gate=report)


def rollback(home: Home, recipe: str, reason: str = "", organisation: str = ORGANISATION) -> Promotion:
    """Swap `champion` and `previous`; the version went through the gate when it was promoted."""
    started = time.monotonic()
    registry = Registry(home, organisation)
    aliases = registry.aliases().get(recipe, {})
    champion, previous = aliases.get(CHAMPION), aliases.get(PREVIOUS)
    if champion is None or previous is None:
        raise TrialsightError(f"{recipe} has no earlier champion to go back to", "promote a version instead")
    package = registry.package(recipe, previous)
    with closing(open_database(Settings(home=home.root))) as database:
        swap_aliases(registry, recipe, previous, champion)
        with database.write() as connection:
            pointer = ActiveModel(recipe, previous, package.card.graph_sha256, datetime.now(UTC))
            set_active(connection, pointer, organisation)
            Change(operator(), reason, organisation).record(connection, "model.rolled_back", recipe, champion, previous)
    return Promotion(recipe, previous, champion, (), round(time.monotonic() - started, 3))


def challenge(
    home: Home,
    recipe: str,
    version: str | None,
    reason: str = "",
    only_look: bool = False,
    organisation: str = ORGANISATION,
) -> Challenge:
    """Let a version that passes the gate run in the champion's shadow; None ends it."""
    registry = Registry(home, organisation)
    if version is not None:
        pass_gate(registry.package(recipe, version), recipe, version)
    with closing(open_database(Settings(home=home.root))) as database:
        if only_look:
            return look_challenger(registry, database, recipe, organisation)
        return move_challenger(registry, database, recipe, version, Change(operator(), reason, organisation))
