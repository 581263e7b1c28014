"""What held-out scores of n good parts can promise of the next ones.

A threshold at the k-th smallest of n scores is exceeded by a share of good parts that follows Beta(n + 1 - k, k),
whatever the scores' distribution (Wilks, "Determination of sample sizes for setting tolerance limits", 1941; for
conformal prediction: Vovk, "Conditional validity of inductive conformal predictors", 2012). Its mean is the rate on
average over calibrations, its upper quantile the rate that this one calibration keeps with that confidence.
"""

import numpy as np
from scipy.stats import beta

from trialsight.card import Promise, parts_needed
from trialsight.errors import TrialsightError
from trialsight.recipe import Calibration

USUAL_CONFIDENCE = 0.95


def supported_rate(n: int, rank: int, confidence: float) -> float:
    """The share of good parts that the `rank`-th smallest of `n` scores keeps to with `confidence`."""
    return float(beta.ppf(confidence, n + 1 - rank, rank))


def confident_rank(n: int, share: float, confidence: float) -> int:
    """The lowest rank whose score keeps `share` with `confidence`; n, the highest, where n is too small for it."""
    ranks = np.arange(1, n)
    keeping = ranks[beta.ppf(confidence, n + 1 - ranks, ranks) <= share]
    return int(keeping[0]) if len(keeping) else n


def check_promise(good_parts: int, asked: Calibration) -> str | None:
    """A recipe that names a confidence means it: TrialsightError where the parts can't promise its rate.

    Where it names none, a note says what they promise instead.
    """
    confidence = asked.confidence or USUAL_CONFIDENCE
    needed = parts_needed(asked.false_reject, confidence)
    if good_parts >= needed:
        return None
    given = supported_rate(good_parts, good_parts, confidence)
    problem = (
        f"{good_parts} good parts promise at most {given:.1%} false rejects with {confidence:.0%} confidence; "
        f"{asked.false_reject:.1%} takes {needed}"
    )
    if asked.confidence is not None:
        raise TrialsightError(
            problem,
            f"add {needed - good_parts} good parts, raise calibration.false_reject, or leave out "
            "calibration.confidence for what the parts at hand can promise",
        )
    return problem


def make_promise(n: int, asked: Calibration, folds: int) -> tuple[int, Promise]:
    """The rank of the score at which t2 lies, and what that promises."""
    confidence = asked.confidence or USUAL_CONFIDENCE
    rank = confident_rank(n, asked.false_reject, confidence)
    return rank, Promise(
        false_reject=supported_rate(n, rank, confidence),
        n=n,
        method=f"cross-conformal, {folds} folds",
        confidence=confidence,
        on_average=(n + 1 - rank) / (n + 1),
    )
