"""A rate that was counted, and how far the true one may lie from it."""

from dataclasses import dataclass

from scipy.stats import binomtest

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Rate:
    """`count` of `of` parts; `low` and `high` bound the true rate by Clopper and Pearson (Biometrika, 1934): the exact
    two-sided 95 % interval. All three are None where nothing was counted."""

    count: int
    of: int
    rate: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.rate is None:
            return "-"
        return f"{self.count} of {self.of}, {self.rate:.1%} ({self.low:.1%} to {self.high:.1%})"


def rate(count: int, of: int) -> Rate:
    if of == 0:
        return Rate(count, of, None, None, None)
    low, high = binomtest(count, of).proportion_ci(CONFIDENCE, "exact")
    return Rate(count, of, count / of, float(low), float(high))
