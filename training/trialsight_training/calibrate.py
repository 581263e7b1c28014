"""Thresholds with a promise: held-out scores of good parts, and the conformal quantiles of them.

Cross-conformal prediction (Vovk, "Cross-conformal predictors", 2015): each part is scored by a detector that never saw
it. Those detectors know fewer parts than the one that serves and so score a little higher: the thresholds err towards
fewer false rejects. The promise is exact for scores by one detector; across folds what is proven is twice its average
rate (Barber et al., "Predictive inference with the jackknife+", 2021; for one calibration, Bian and Barber,
"Training-conditional coverage for distribution-free predictive inference", 2023). What is seen is the stated one:
tests/training/test_coverage.py.
"""

import math
from collections.abc import Sequence
from statistics import median

import torch
from torch import Tensor

from trialsight.card import Promise
from trialsight.errors import TrialsightError
from trialsight.recipe import Calibration
from trialsight.verdict import Thresholds
from trialsight_training.costs import cheapest
from trialsight_training.promise import make_promise

FEWEST, FEW = 5, 10


def check_count(good_parts: int) -> str | None:
    """Raises TrialsightError below 5 good parts; gives a warning below 10."""
    if good_parts < FEWEST:
        raise TrialsightError(
            f"{good_parts} good training part{'s are' if good_parts != 1 else ' is'} too few to set thresholds",
            f"add good parts: {FEWEST} at least, {FEW} or more are better",
        )
    if good_parts < FEW:
        return (
            f"only {good_parts} good parts: one in {good_parts + 1} good parts may be rejected; "
            f"{FEW} or more are better"
        )
    return None


def assign_folds(parts: int, folds: int, seed: int) -> Tensor:
    """(parts,) the fold 0..K-1 of each part: shuffled by the seed, sizes differing by one at most."""
    order = torch.randperm(parts, generator=torch.Generator().manual_seed(seed))
    fold = torch.empty(parts, dtype=torch.long)
    fold[order] = torch.arange(parts) % min(folds, parts)
    return fold


def conformal_rank(n: int, share: float) -> int:
    """The rank k, 1..n, of the score that at most `share` of new ones exceed on average: ceil((n + 1)(1 - share)).

    Where n is too small for that share it is n, the highest score, which supports 1 / (n + 1) only.
    """
    # 1e-9: (19 + 1) * (1 - 0.05) must be 19, not 19.000000000000004
    return min(n, max(1, math.ceil((n + 1) * (1 - share) - 1e-9)))


def calibrate(
    scores: Sequence[float], calibration: Calibration, folds: int, defect_scores: Sequence[float] = ()
) -> tuple[Thresholds, Promise]:
    """Thresholds from the held-out `scores` of good parts, and of labelled defects where costs are to decide.

    t2 keeps the promise, whatever the costs. The spread that `margin` multiplies is the distance from the median score
    to t2. Regions begin at t1: the score is the map's maximum, so a part passes exactly where it shows no region.
    """
    ordered = sorted(scores)
    n = len(ordered)
    rank, promise = make_promise(n, calibration, folds)
    t2 = ordered[rank - 1]
    t1 = min(t2, ordered[conformal_rank(n, calibration.review) - 1])
    headroom = calibration.margin * (t2 - median(ordered))
    t1, t2 = t1 + headroom, t2 + headroom
    if calibration.costs is not None and defect_scores:
        t1, t2 = cheapest(scores, defect_scores, calibration.costs, floor=t2)
    return Thresholds(t1, t2, region=t1), promise
