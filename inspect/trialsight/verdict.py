"""Two thresholds make three answers; anything that isn't a number makes a fourth."""

import math
from dataclasses import dataclass
from enum import StrEnum

from trialsight.reason import Reason


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - not a password
    REVIEW = "review"
    REJECT = "reject"
    NO_VERDICT = "no_verdict"


@dataclass(frozen=True)
class Thresholds:
    """Scores below `t1` pass, above `t2` are rejected, between the two a person looks.

    `region` is the defect-map score from which a pixel belongs to a region.
    """

    t1: float
    t2: float
    region: float

    def __post_init__(self) -> None:
        values = (self.t1, self.t2, self.region)
        if not all(math.isfinite(value) for value in values):
            raise ValueError(f"thresholds must be finite numbers, got t1={self.t1}, t2={self.t2}, region={self.region}")
        if self.t1 > self.t2:
            raise ValueError(f"t1 ({self.t1}) lies above t2 ({self.t2}): t1 <= t2 is needed")


def judge(score: float, thresholds: Thresholds) -> tuple[Verdict, Reason | None]:
    """The verdict of a score, with the reason where it is not `pass`. A score that is not finite is a fault."""
    if not math.isfinite(score):
        return Verdict.NO_VERDICT, Reason("score_not_finite", score=score)
    if score < thresholds.t1:
        return Verdict.PASS, None
    if score > thresholds.t2:
        return Verdict.REJECT, Reason("score_above", score=score, t2=thresholds.t2)
    return Verdict.REVIEW, Reason("score_between", score=score, t1=thresholds.t1, t2=thresholds.t2)
