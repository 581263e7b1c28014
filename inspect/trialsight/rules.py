"""Tolerance rules as QA writes them: "no scratch longer than 2 mm", "at most three spots below 0.5 mm² in zone A".

A rule counts the regions that it is about and fires when there are more than `at_most`. Regions that a rule allows are
tolerated: they no longer count towards the score, so that a permitted spot doesn't reject the part by its score.
What no rule allows is judged by T1 and T2 as ever.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from trialsight.geometry.shapes import Shape
from trialsight.reason import Reason
from trialsight.regions import Region
from trialsight.verdict import Thresholds, Verdict, judge

Measure = Literal["length_mm", "width_mm", "area_mm2", "length_px", "width_px", "area_px", "peak", "mean"]
SEVERITY = {Verdict.PASS: 0, Verdict.REVIEW: 1, Verdict.REJECT: 2, Verdict.NO_VERDICT: 3}


@dataclass(frozen=True)
class Condition:
    """A measure of the region lies `above` one value and/or `below` another; a value on the bound is neither."""

    measure: Measure
    above: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        if self.above is None and self.below is None:
            raise ValueError(f"{self.measure} needs above, below or both")
        if not all(bound is None or math.isfinite(bound) for bound in (self.above, self.below)):
            raise ValueError(f"the bounds of {self.measure} must be finite numbers")

    def holds(self, region: Region) -> bool:
        value: float | None = getattr(region, self.measure)
        if value is None:
            raise ValueError(f"{self.measure} needs a scale: give the view mm_per_px or a homography")
        return (self.above is None or value > self.above) and (self.below is None or value < self.below)


@dataclass(frozen=True)
class Rule:
    """`defect_class` and `zone` None: any. A region lies in a zone when its centre does. `verdict`: when it fires."""

    name: str
    defect_class: str | None = None
    zone: str | None = None
    where: tuple[Condition, ...] = ()
    at_most: int = 0
    verdict: Literal["review", "reject"] = "reject"

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a rule needs a name: it is what the verdict says")
        if self.at_most < 0:
            raise ValueError(f"rule {self.name!r}: at_most must not be negative, got {self.at_most}")

    def is_about(self, region: Region, zones: Mapping[str, Shape]) -> bool:
        if self.defect_class is not None and region.defect_class != self.defect_class:
            return False
        if self.zone is not None and not zones[self.zone].holds(*region.center_px):
            return False
        return all(condition.holds(region) for condition in self.where)


@dataclass(frozen=True)
class Ruling:
    """`rule`: the name of the rule that decided, `score` for the thresholds, None for a pass. `reason` also names the
    other rules that fired."""

    verdict: Verdict
    reason: Reason | None
    rule: str | None


def check_rules(rules: Sequence[Rule], zones: Mapping[str, Shape], has_scale: bool) -> None:
    """Raises ValueError for a zone that isn't there, a mm measure without a scale, or a name used twice."""
    names = [rule.name for rule in rules]
    if len(set(names)) < len(names):
        raise ValueError(f"two rules are called {next(name for name in names if names.count(name) > 1)!r}")
    for rule in rules:
        if rule.zone is not None and rule.zone not in zones:
            raise ValueError(f"rule {rule.name!r}: zone {rule.zone!r} is not among {', '.join(zones) or 'no zones'}")
        for condition in rule.where:
            if "_mm" in condition.measure and not has_scale:
                raise ValueError(f"rule {rule.name!r}: {condition.measure} needs the view's scale")


def rule_on(
    score: float, regions: Sequence[Region], thresholds: Thresholds, rules: Sequence[Rule], zones: Mapping[str, Shape]
) -> Ruling:
    """The worst of the rules that fire and of the score of what no rule tolerates."""
    verdict, why = judge(score, thresholds)
    if verdict is Verdict.NO_VERDICT or not rules:
        return Ruling(verdict, why, None if verdict is Verdict.PASS else "score")
    fired: list[Ruling] = []
    tolerated: set[int] = set()
    forbidden: set[int] = set()
    for rule in rules:
        about = {index for index, region in enumerate(regions) if rule.is_about(region, zones)}
        if len(about) > rule.at_most:
            code = "rule" if len(about) > 1 else "rule_one"
            reason = Reason(code, rule=rule.name, count=len(about), at_most=rule.at_most)
            fired.append(Ruling(Verdict(rule.verdict), reason, rule.name))
            forbidden |= about
        else:
            tolerated |= about
    tolerated -= forbidden
    if tolerated:
        left = max((region.peak for index, region in enumerate(regions) if index not in tolerated), default=-math.inf)
        verdict, why = judge(left, thresholds) if left > -math.inf else (Verdict.PASS, None)
    fired.append(Ruling(verdict, why, None if verdict is Verdict.PASS else "score"))
    decided = max(fired, key=lambda ruling: SEVERITY[ruling.verdict])
    also = [one.rule for one in fired[:-1] if one.rule not in (None, decided.rule)]
    if decided.reason is None or not also:
        return decided
    # Where a rule fired, the score decides only by lying above t2: of equals, the rule comes first.
    values = decided.reason.values | {"also": ", ".join(map(str, also))}
    return Ruling(decided.verdict, Reason(f"{decided.reason.code}_also", **values), decided.rule)
