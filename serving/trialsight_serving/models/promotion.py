"""Promote, challenge and roll back from the command line; a running service follows within a second."""

import contextlib
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

from trialsight.engines import cores
from trialsight.errors import TrialsightError
from trialsight.home import ORGANISATION, Home, model_name
from trialsight.inspector import Inspector
from trialsight_serving.jobs.process import run_command
from trialsight_serving.models.changes import (
    Challenge,
    Change,
    Promotion,
    load_version,
    look_challenger,
    move_challenger,
    move_champion,
    pass_gate,
    swap_aliases,
)
from trialsight_serving.models.gate import Gatekeeper
from trialsight_serving.models.registry import CHAMPION, PREVIOUS, Registry
from trialsight_serving.settings import Settings
from trialsight_serving.store.audit import named, operator
from trialsight_serving.store.database import open_database
from trialsight_serving.store.images import open_images
from trialsight_serving.store.lines import ActiveModel, set_active


def promote(
    home: Home,
    recipe: str,
    version: str,
    line: str | None = None,
    reason: str = "",
    organisation: str = ORGANISATION,
    approver: str | None = None,
) -> Promotion:
    """Through the gate. `approver` None: whoever types. Where nothing was recorded of the version beside the champion,
    the two are compared first, if the set is at hand.

    Raises GateError naming the conditions that failed, PackageError or RegistryError; the alias then stays.
    """
    started = time.monotonic()
    registry, settings = Registry(home, organisation), Settings(home=home.root)
    inspector, report = load_version(registry.package(recipe, version), recipe, version)
    compare_first(home, registry, inspector, version, organisation)
    change = Change(operator(), reason, organisation)
    with closing(open_database(settings)) as database:
        keeper = Gatekeeper(registry, database, open_images(settings), organisation)
        gate = keeper.judge(inspector, version, report, named(operator()) if approver is None else approver)
        if not gate.holds:
            raise keeper.refuse(gate, change.by)
        done = move_champion(registry, database, inspector.card, gate, line, change)
    return replace(done, seconds=round(time.monotonic() - started, 3), gate=report)


def compare_first(home: Home, registry: Registry, inspector: Inspector, version: str, organisation: str) -> None:
    """Have training measure the version beside the champion on the test parts of the version's set, unless it did.

    Where that can't be done here, the gate says what is missing.
    """
    card = inspector.card
    champion = registry.aliases().get(card.recipe, {}).get(CHAMPION)
    found = next(home.sets.glob(f"*/{card.provenance.dataset_sha256}.json"), None)
    if champion in (None, version) or found is None or registry.compared(card.recipe, champion, version) is not None:
        return
    model = model_name(card.recipe, organisation)
    words = ["compare", f"{model}/{champion}", f"{model}/{version}", "--data", str(found), "--record"]
    with contextlib.suppress(TrialsightError):
        run_command(
            [*words, "--home", str(home.root)], home.logs / "compare.txt", cores(), lambda *_: None, lambda: False
        )


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
