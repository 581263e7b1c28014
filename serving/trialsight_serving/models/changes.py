"""What a promotion, a rollback and a challenge change: the aliases, the pointer, the audit record; never by half."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy.engine import Connection

from trialsight.card import Card
from trialsight.errors import TrialsightError
from trialsight.fastest import load_fastest
from trialsight.gate import GateReport, run_gate
from trialsight.image import Limits
from trialsight.inspector import Inspector
from trialsight.package import Package
from trialsight_serving.access.organisations import need_organisation
from trialsight_serving.models.gate import Gate, GateError
from trialsight_serving.models.registry import CHALLENGER, CHAMPION, PREVIOUS, Registry
from trialsight_serving.store import audit
from trialsight_serving.store.database import Database
from trialsight_serving.store.evidence.promotions import PromotionRecord, insert_promotion
from trialsight_serving.store.evidence.shadows import Evidence, evidence
from trialsight_serving.store.lines import ActiveModel, bind_line, bind_unbound_lines, list_lines, set_active
from trialsight_serving.store.tables import ORGANISATION

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Change:
    """Who changes something, and why: what the audit trail keeps."""

    by: str
    reason: str = ""
    organisation: str = ORGANISATION

    def record(
        self, connection: Connection, what: str, recipe: str, old: str | None, new: str | None, **more: object
    ) -> None:
        """From version `old` to version `new`, with the reason."""
        words = {"version": new, **({"reason": self.reason} if self.reason else {}), **more}
        audit.record(connection, self.organisation, self.by, what, f"model/{recipe}", {"version": old}, words)


@dataclass(frozen=True)
class Promotion:
    """`previous`: the version that `rollback` would bring back. `lines`: those newly bound to the recipe. `gate`: the
    golden frames; `conditions`: all that was asked."""

    recipe: str
    version: str
    previous: str | None
    lines: tuple[str, ...]
    seconds: float
    gate: GateReport | None = None
    conditions: Gate | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Challenge:
    """`version` runs in the shadow of `champion`, None for none. `before`: the challenger that was."""

    recipe: str
    champion: str
    version: str | None
    before: str | None
    evidence: Evidence | None = None


def load_version(
    package: Package, recipe: str, version: str, limits: Limits | None = None, runtimes: Path | None = None
) -> tuple[Inspector, GateReport]:
    """Load a version and run its golden frames. `runtimes`: load the fastest of its forms on this machine, which are
    remembered in that folder; None: fp32. Raises PackageError."""
    if package.card.recipe != recipe:
        raise TrialsightError(
            f"version {version} of {recipe} holds a package of recipe {package.card.recipe}", "train it again"
        )
    if runtimes is None:
        inspector = Inspector(package, limits=limits)
    else:
        inspector, choice = load_fastest(package, runtimes, limits)
        log.info("runtime chosen", recipe=recipe, version=version, runtime=str(choice))
    return inspector, run_gate(inspector)


def pass_gate(
    package: Package, recipe: str, version: str, limits: Limits | None = None, runtimes: Path | None = None
) -> tuple[Inspector, GateReport]:
    """`load_version`. Raises GateError naming the golden frame that failed."""
    inspector, report = load_version(package, recipe, version, limits, runtimes)
    check_golden(recipe, version, report)
    return inspector, report


def check_golden(recipe: str, version: str, report: GateReport) -> None:
    """Raises GateError naming the golden frame that failed."""
    if not report.ok:
        raise GateError(
            f"the gate refused {recipe} version {version}: {'; '.join(report.problems)}",
            "the champion stays as it is; train again or check the golden frames",
        )


def move_champion(
    registry: Registry, database: Database, card: Card, gate: Gate, line: str | None, change: Change
) -> Promotion:
    """The aliases, then pointer, lines and record in one transaction. Of a version that has passed the gate; with the
    evidence against the champion before."""
    started = time.monotonic()
    recipe, version = card.recipe, gate.version
    _check(database, line, change.organisation)
    aliases = registry.aliases().get(recipe, {})
    current = aliases.get(CHAMPION)
    if current is not None and current != version:
        registry.set_alias(recipe, PREVIOUS, current)
    registry.set_alias(recipe, CHAMPION, version)
    if aliases.get(CHALLENGER) == version:
        registry.delete_alias(recipe, CHALLENGER)  # it has won
    with database.write() as connection:
        pointer = ActiveModel(recipe, version, card.graph_sha256, datetime.now(UTC))
        set_active(connection, pointer, change.organisation)
        change.record(connection, "model.promoted", recipe, current, version, gate=gate.to_json())
        insert_promotion(connection, _promoted(gate, current, change))
        if line is not None:
            bind_line(connection, line, recipe, change.organisation, who=change.by)
            bound = [line]
        else:
            bound = bind_unbound_lines(connection, recipe, change.organisation, who=change.by)
        seen = None
        if current not in (None, version):
            seen = evidence(connection, change.organisation, recipe, current, version)
    previous = current if current != version else aliases.get(PREVIOUS)
    seconds = round(time.monotonic() - started, 3)
    return Promotion(recipe, version, previous, tuple(bound), seconds, conditions=gate, evidence=seen)


def _promoted(gate: Gate, previous: str | None, change: Change) -> PromotionRecord:
    return PromotionRecord(
        organisation_id=change.organisation,
        recipe=gate.recipe,
        version=gate.version,
        previous=previous,
        approver=gate.approver,
        reason=change.reason,
        promoted_at=datetime.now(UTC),
        gate=gate.to_json(),
    )


def swap_aliases(registry: Registry, recipe: str, champion: str, previous: str) -> None:
    registry.set_alias(recipe, CHAMPION, champion)
    registry.set_alias(recipe, PREVIOUS, previous)


def move_challenger(
    registry: Registry, database: Database, recipe: str, version: str | None, change: Change
) -> Challenge:
    """Of a version that has passed the gate. Raises TrialsightError where there is no champion, or it is this one."""
    now = look_challenger(registry, database, recipe, change.organisation)
    if version == now.champion:
        raise TrialsightError(f"{recipe} version {version} is the champion itself", "challenge it with another version")
    if version == now.version:
        return now
    if version is None:
        registry.delete_alias(recipe, CHALLENGER)
    else:
        registry.set_alias(recipe, CHALLENGER, version)
    with database.write() as connection:
        change.record(connection, "model.challenger", recipe, now.version, version)
    return replace(look_challenger(registry, database, recipe, change.organisation), before=now.version)


def look_challenger(registry: Registry, database: Database, recipe: str, organisation: str = ORGANISATION) -> Challenge:
    """Who challenges whom, and what came of it so far. Raises TrialsightError where there is no champion."""
    aliases = registry.aliases().get(recipe, {})
    champion, version = aliases.get(CHAMPION), aliases.get(CHALLENGER)
    if champion is None:
        raise TrialsightError(
            f"{recipe} has no champion to be challenged", f"promote one: trialsight promote {recipe} VERSION"
        )
    if version is None:
        return Challenge(recipe, champion, None, None)
    with database.read() as connection:
        seen = evidence(connection, organisation, recipe, champion, version)
    return Challenge(recipe, champion, version, version, seen)


def _check(database: Database, line: str | None, organisation: str) -> None:
    with database.read() as connection:
        need_organisation(connection, organisation)
        if line is not None and line not in {found.name for found in list_lines(connection, organisation)}:
            raise TrialsightError(f"there is no line {line}", f"add it: trialsight line add {line}")
