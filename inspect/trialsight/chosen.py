"""T1 and T2 that a person chose for one version of a model, in place of those of its calibration."""

import math
from dataclasses import dataclass

from trialsight.package import FP32, Package, load_package
from trialsight.verdict import Thresholds


@dataclass(frozen=True)
class Chosen:
    """`t1`, `t2`: in the scores of the graph `variant`, which is the one that gave verdicts when they were chosen.
    `reason`: why, in the person's words."""

    t1: float
    t2: float
    variant: str = FP32
    reason: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.t1) and math.isfinite(self.t2) and self.t1 <= self.t2):
            raise ValueError(f"t1 <= t2 is needed, both finite, got t1={self.t1}, t2={self.t2}")

    def thresholds(self, package: Package) -> Thresholds:
        """For the package's graph. That of the variant they were chosen for has them to the letter. Scores of another
        differ a little, so there they lie as far from its own calibration as they do here (0021-chosen-thresholds)."""
        to = package.card.thresholds
        if package.variant_name == self.variant:
            return Thresholds(self.t1, self.t2, to.region)
        whole = load_package(package.folder)
        known = {FP32, *(one.name for one in whole.card.variants)}
        of = (whole.as_variant(self.variant) if self.variant in known else whole).card.thresholds
        return Thresholds(carry(self.t1, of, to), carry(self.t2, of, to), to.region)


def carry(score: float, of: Thresholds, to: Thresholds) -> float:
    """A score of one graph as that of another: T1 goes to T1, T2 to T2, and all else in proportion."""
    if of.t2 > of.t1 and to.t2 > to.t1:
        return to.t1 + (score - of.t1) * (to.t2 - to.t1) / (of.t2 - of.t1)
    return score + to.t2 - of.t2
