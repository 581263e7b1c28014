"""Differences between two models on the same parts, by resampling the parts (paired bootstrap, Efron 1979).

Good and defective parts are drawn apart, so that each resample has as many of both as the set.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
CHUNK = 200
CONFIDENCE = 0.95

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
# Weights (R, N) of the parts in R resamples to (R,) values of a statistic.
Statistic = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Difference:
    """`difference` is b - a; `low` and `high` are its 95 % bootstrap interval, None where none was taken."""

    name: str
    a: float
    b: float
    difference: float
    low: float | None = None
    high: float | None = None


def paired(name: str, a: Statistic, b: Statistic, defective: Bools, seed: int = 0) -> Difference:
    """`defective` (N,) says which parts to draw apart."""
    whole = np.ones((1, len(defective)))
    one, other = float(a(whole)[0]), float(b(whole)[0])
    drawn = np.concatenate([b(weights) - a(weights) for weights in resamples(defective, seed)])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Difference(name, one, other, other - one, float(low), float(high))


def resamples(defective: Bools, seed: int) -> Iterator[Floats]:
    """(CHUNK, N) how often each part was drawn, RESAMPLES in all."""
    rng = np.random.default_rng(seed)
    for _ in range(RESAMPLES // CHUNK):
        weights = np.empty((CHUNK, len(defective)))
        for kind in (defective, ~defective):
            if count := int(kind.sum()):
                weights[:, kind] = rng.multinomial(count, np.full(count, 1 / count), size=CHUNK)
        yield weights


def auroc(scores: Floats, defective: Bools) -> Statistic:
    """The share of (defective, good) pairs in the right order, ties by half."""
    bad, good = scores[defective][:, None], scores[~defective][None, :]
    ordered = (bad > good) + 0.5 * (bad == good)

    def of(weights: Floats) -> Floats:
        w_bad, w_good = weights[:, defective], weights[:, ~defective]
        return np.asarray(((w_bad @ ordered) * w_good).sum(1) / (w_bad.sum(1) * w_good.sum(1)))

    return of


def average_precision(scores: Floats, defective: Bools) -> Statistic:
    """As scikit-learn's: the precision at each score, weighted by the recall that it adds; equal scores are one."""
    order = np.argsort(-scores, kind="stable")
    last_of_score = np.append(np.diff(scores[order]) != 0, True)

    def of(weights: Floats) -> Floats:
        sorted_weights = weights[:, order]
        true = np.cumsum(sorted_weights * defective[order], axis=1)[:, last_of_score]
        seen = np.cumsum(sorted_weights, axis=1)[:, last_of_score]
        precision = true / np.maximum(seen, 1e-12)
        return np.asarray((np.diff(true, axis=1, prepend=0) * precision).sum(1) / true[:, -1])

    return of


def mean_over(values: Floats, chosen: Bools) -> Statistic:
    """The mean of `values` over the parts that are `chosen`."""

    def of(weights: Floats) -> Floats:
        drawn = weights[:, chosen]
        return np.asarray((drawn * values[chosen]).sum(1) / np.maximum(drawn.sum(1), 1e-12))

    return of
