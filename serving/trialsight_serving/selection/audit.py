"""How many defects pass, estimated from a random sample of the passes: each is in it with the same stated chance.

The draw is in the part's own random id, so that nobody chooses, and asking twice asks for the same parts. Escapes that
came to light otherwise say nothing here: they were found because somebody looked for them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy.engine import Connection

from trialsight_serving.store.evidence.escapes import MISSED
from trialsight_serving.store.parts import PartFilter, count_parts
from trialsight_serving.store.review.standing import DECIDED
from trialsight_serving.store.tables import parts

CONFIDENCE = 0.95
PASS = "pass"  # noqa: S105 - a verdict


@dataclass(frozen=True)
class EscapeRate:
    """Of `passes` parts, `sampled` were drawn with the chance `sampling_rate`, and people decided about `reviewed` of
    these: `escapes` were defective. `rate` with its exact interval `low` to `high` (Clopper and Pearson, Biometrika 26,
    1934) is the share of passed parts that are defective, None before the first review; `total` such parts are to be
    expected among all passes (Horvitz and Thompson, JASA 47, 1952, the unreviewed weighted out)."""

    sampling_rate: float
    passes: int
    sampled: int
    reviewed: int
    escapes: int
    rate: float | None
    low: float
    high: float
    confidence: float
    total: float | None


def escape_rate(connection: Connection, organisation: str, wanted: PartFilter, sampling_rate: float) -> EscapeRate:
    """`wanted` narrows the passes by line, trial run, variant or time."""
    passes = replace(wanted, verdict=(PASS,), review=None, decided_by=None, audit_rate=None, sort="newest")
    sample = replace(passes, audit_rate=sampling_rate)
    decided = replace(sample, review=DECIDED)
    count, sampled = count_parts(connection, organisation, passes), count_parts(connection, organisation, sample)
    reviewed = count_parts(connection, organisation, decided)
    escapes = count_parts(connection, organisation, decided, parts.c.decision == MISSED)
    low, high = exact_interval(escapes, reviewed, CONFIDENCE)
    rate = escapes / reviewed if reviewed else None
    return EscapeRate(
        sampling_rate=sampling_rate,
        passes=count,
        sampled=sampled,
        reviewed=reviewed,
        escapes=escapes,
        rate=rate,
        low=low,
        high=high,
        confidence=CONFIDENCE,
        total=None if rate is None else round(rate * count, 2),
    )


def exact_interval(hits: int, n: int, confidence: float) -> tuple[float, float]:
    """Clopper-Pearson's for a share; 0 to 1 where nothing was seen."""
    alpha = (1 - confidence) / 2
    low = 0.0 if hits == 0 else _solve(lambda p: 1 - _at_most(hits - 1, n, p) - alpha)
    high = 1.0 if hits == n else _solve(lambda p: alpha - _at_most(hits, n, p))
    return low, high


def _at_most(k: int, n: int, p: float) -> float:
    """P(X <= k) for X of the binomial distribution (n, p)."""
    if not 0 < p < 1:
        return 1.0 if p <= 0 or k >= n else 0.0
    choose = math.lgamma(n + 1)
    return min(
        1.0,
        math.fsum(
            math.exp(choose - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * math.log(p) + (n - i) * math.log1p(-p))
            for i in range(k + 1)
        ),
    )


def _solve(rising: Callable[[float], float]) -> float:
    """Where it crosses zero between 0 and 1."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2
