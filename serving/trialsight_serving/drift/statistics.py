"""Two-sample tests and their correction, in NumPy alone: five formulas are no reason for SciPy on a line computer.

`reference` and `window` are one-dimensional, of finite values. P-values are two-sided unless said otherwise.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def kolmogorov_smirnov(reference: ArrayLike, window: ArrayLike) -> tuple[float, float]:
    """The largest distance D between the two distribution functions, and its p-value.

    Smirnov's limit law, Q(λ) = 2 Σ (-1)^(k-1) exp(-2 k² λ²), λ = D sqrt(nm / (n + m)) (Smirnov 1939). In the tail,
    where alarms are, it lies above the exact value, so that it errs to the quiet side.
    """
    one, other = np.sort(_values(reference)), np.sort(_values(window))
    both = np.concatenate([one, other])
    below = [np.searchsorted(values, both, side="right") / len(values) for values in (one, other)]
    distance = float(np.abs(below[0] - below[1]).max())
    scaled = distance * math.sqrt(len(one) * len(other) / (len(one) + len(other)))
    if scaled < 0.2:  # the series has not converged; the value is 1 to twelve digits
        return distance, 1.0
    terms = [2 * (-1) ** (k - 1) * math.exp(-2 * k * k * scaled * scaled) for k in range(1, 101)]
    return distance, min(1.0, max(0.0, math.fsum(terms)))


def mann_whitney(reference: ArrayLike, window: ArrayLike) -> tuple[float, float]:
    """P(window > reference) + P(equal)/2, and the p-value of its being 1/2 by the normal law with ties and continuity
    corrected (Mann & Whitney 1947; Lehmann, Nonparametrics, 1.2)."""
    one, other = _values(reference), _values(window)
    n, m = len(one), len(other)
    both = np.concatenate([other, one])
    _, place, counts = np.unique(both, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = ((last - counts + 1 + last) / 2)[place]
    u = float(ranks[:m].sum()) - m * (m + 1) / 2
    ties = float((counts.astype(np.float64) ** 3 - counts).sum())
    variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    if variance <= 0:
        return 0.5, 1.0  # all values are equal
    z = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return u / (n * m), math.erfc(z / math.sqrt(2))


def stability_index(reference: ArrayLike, window: ArrayLike, bins: int = 10) -> float:
    """Population stability index over the reference's quantiles: below 0.1 stable, from 0.25 on another population
    (Siddiqi, Credit Risk Scorecards, 2006). Half a count is added to each bin, so that an empty one is no infinity."""
    one, other = _values(reference), _values(window)
    edges = np.unique(np.quantile(one, np.linspace(0, 1, bins + 1)[1:-1]))
    shares = []
    for values in (one, other):
        counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1) + 0.5
        shares.append(counts / counts.sum())
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def more_often(before: tuple[int, int], now: tuple[int, int]) -> float:
    """One-sided p-value that something happens more often now, each (how often, of how many): Fisher's exact test."""
    (a, n), (b, m) = before, now
    total, most = a + b, min(m, a + b)
    logs = [_log_choose(m, k) + _log_choose(n, total - k) for k in range(b, most + 1) if total - k <= n]
    all_ways = _log_choose(n + m, total)
    return min(1.0, math.fsum(math.exp(value - all_ways) for value in logs))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted so that each may be held against the error rate of the whole family, however they depend on each other
    (Holm 1979)."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _values(given: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(given, np.float64)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError("a sample must be one-dimensional, not empty, and of finite values")
    return values


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
