"""The gate at promotion: what must hold before a version gives verdicts, with the figures that were seen.

Golden frames right; no known escape passing again; the false-reject promise stated; not worse than the champion on the
same test parts; somebody who answers for it. A person's wish and the worker's go through the same gate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from trialsight.card import Promise
from trialsight.compared import Compared
from trialsight.errors import FrameError, TrialsightError
from trialsight.gate import GateReport
from trialsight.inspector import Inspector
from trialsight.package import RECIPE
from trialsight.recipe import Recipe, load_recipe
from trialsight.verdict import Thresholds, Verdict
from trialsight_serving.models.registry import CHAMPION, Registry
from trialsight_serving.store import audit
from trialsight_serving.store.database import Database
from trialsight_serving.store.evidence.escapes import known_escapes
from trialsight_serving.store.images import ImageStore
from trialsight_serving.viewer.language import load_catalogues

Name = Literal["golden", "escapes", "promise", "comparison", "approver"]
# What can be found of each, and which of it refuses: the catalogues say all of it.
CASES: dict[Name, tuple[str, ...]] = {
    "golden": ("right", "wrong"),
    "escapes": ("none", "caught", "again"),
    "promise": ("stated", "missing"),
    "comparison": ("first", "itself", "kept", "worse", "missing", "empty", "impossible"),
    "approver": ("named", "nobody"),
}
REFUSING = frozenset({"wrong", "again", "missing", "worse", "nobody"})
_SHOWN = 3  # names of parts in one line


@dataclass(frozen=True)
class Condition:
    """`case`: what was found; `gate.NAME.CASE` in the catalogues says it with the `figures`."""

    name: Name
    case: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return self.case not in REFUSING

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "case": self.case, "holds": self.holds, "figures": dict(self.figures)}


@dataclass(frozen=True)
class Gate:
    recipe: str
    version: str
    champion: str | None
    conditions: tuple[Condition, ...]

    @property
    def approver(self) -> str:
        return next(str(one.figures["approver"]) for one in self.conditions if one.name == "approver")

    @property
    def holds(self) -> bool:
        return all(one.holds for one in self.conditions)

    def lines(self) -> list[str]:
        """Each condition in English."""
        return [said(one) for one in self.conditions]

    def to_json(self) -> list[dict[str, Any]]:
        return [one.to_json() for one in self.conditions]


def said(condition: Condition) -> str:
    return _ENGLISH(f"gate.{condition.name}.{condition.case}", **condition.figures)


def remedy(condition: Condition) -> str:
    """What to do where it does not hold."""
    return _ENGLISH(f"gate.{condition.name}.{condition.case}_remedy", **condition.figures)


def recipe_of(package: Path) -> Recipe:
    """What the version was trained by; the usual where the package doesn't say."""
    path = package / RECIPE
    return load_recipe(path) if path.is_file() else Recipe("unknown")


@dataclass(frozen=True)
class Gatekeeper:
    """What the gate asks: of one organisation's models."""

    registry: Registry
    database: Database
    images: ImageStore
    organisation: str

    def judge(
        self,
        inspector: Inspector,
        version: str,
        report: GateReport,
        approver: str,
        thresholds: Thresholds | None = None,
    ) -> Gate:
        """`approver`: who answers for it, empty for nobody. `thresholds`: those that people chose for the version.

        Raises RegistryError where the registry does not answer.
        """
        card = inspector.card
        champion = self.registry.aliases().get(card.recipe, {}).get(CHAMPION)
        with self.database.read() as connection:
            escapes = list(known_escapes(connection, self.organisation, card.recipe))
        again = [one.part for one in escapes if _passes(inspector, self.images, one.image_sha256, thresholds)]
        return Gate(
            recipe=card.recipe,
            version=version,
            champion=champion,
            conditions=(
                _golden(report),
                _escapes(len(escapes), again),
                _promised(card.promise),
                self._compared(inspector, version, champion),
                Condition("approver", "named" if approver else "nobody", {"approver": approver}),
            ),
        )

    def refuse(self, gate: Gate, by: str) -> "GateError":
        """The error to raise, which is on record then."""
        words = {"version": gate.version, "gate": gate.to_json()}
        with self.database.write() as connection:
            audit.record(
                connection,
                self.organisation,
                by,
                "model.refused",
                f"model/{gate.recipe}",
                {"version": gate.champion},
                words,
            )
        failed = [one for one in gate.conditions if not one.holds]
        return GateError(
            f"the gate refused {gate.recipe} version {gate.version}: {'; '.join(said(one) for one in failed)}",
            "; ".join(remedy(one) for one in failed),
            gate,
        )

    def _compared(self, inspector: Inspector, version: str, champion: str | None) -> Condition:
        if champion is None:
            return Condition("comparison", "first")
        card = inspector.card
        names = {"recipe": card.recipe, "champion": champion, "version": version}
        if champion == version:
            return Condition("comparison", "itself", names)
        found = self.registry.compared(card.recipe, champion, version)
        graphs = self.registry.package(card.recipe, champion).card.graph_sha256, card.graph_sha256
        if found is None or (found.champion_graph, found.graph) != graphs:
            return Condition("comparison", "missing", names)
        return _comparison(found, recipe_of(inspector.package.folder), card.promise, names)


class GateError(TrialsightError):
    """The gate refused; the champion stays what it was. `gate`: with which conditions, None where the golden frames
    alone were asked."""

    def __init__(self, problem: str, remedy: str = "", gate: Gate | None = None) -> None:
        super().__init__(problem, remedy)
        self.gate = gate


def _golden(report: GateReport) -> Condition:
    figures = {"frames": len(report.results), "problems": "; ".join(report.problems)}
    return Condition("golden", "right" if report.ok else "wrong", figures)


def _escapes(known: int, again: list[str]) -> Condition:
    figures = {"known": known, "again": len(again), "parts": ", ".join(again[:_SHOWN])}
    case = "again" if again else "caught" if known else "none"
    return Condition("escapes", case, figures)


def _promised(promise: Promise) -> Condition:
    stated = promise.n > 0 and 0 < promise.false_reject < 1
    confidence = "–" if promise.confidence is None else f"{100 * promise.confidence:.0f} %"
    figures = {"percent": round(100 * promise.false_reject, 2), "confidence": confidence, "n": promise.n}
    return Condition("promise", "stated" if stated else "missing", figures)


def _comparison(found: Compared, recipe: Recipe, promise: Promise, names: dict[str, str]) -> Condition:
    figures: dict[str, Any] = {**names, "set": found.set_version[:12], "margin": recipe.promotion_margin}
    figures |= {"good": found.good, "defective": found.defective, "problem": found.problem}
    for name in ("image_auroc", "escape_rate", "false_reject_rate"):
        pair = getattr(found, name)
        figures[name] = "–" if pair is None else f"{pair[0]:.3f} → {pair[1]:.3f}"
    if found.problem:
        return Condition("comparison", "impossible", figures)
    if not found.good + found.defective:
        return Condition("comparison", "empty", figures)
    worse = found.worse(recipe.promotion_margin, promise.false_reject)
    return Condition("comparison", "worse" if worse else "kept", figures)


def _passes(inspector: Inspector, images: ImageStore, sha256: str, thresholds: Thresholds | None) -> bool:
    """A frame that is gone or can't be judged any more did not pass."""
    try:
        return inspector(images.get(sha256), thresholds).verdict is Verdict.PASS
    except (FileNotFoundError, FrameError):
        return False


_ENGLISH = load_catalogues()["en"]
