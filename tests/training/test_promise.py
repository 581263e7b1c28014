"""Tolerance limits against the published tables, and the promise kept on scores that were never seen."""

import numpy as np
import pytest
from scipy.stats import binom

from trialsight.card import parts_needed
from trialsight.errors import TrialsightError
from trialsight.recipe import Calibration
from trialsight_training.calibrate import calibrate
from trialsight_training.promise import check_promise, confident_rank, supported_rate

# First-order one-sided tolerance limits: n with 1 - (1 - share)^n >= confidence
WILKS = [(0.05, 0.95, 59), (0.05, 0.99, 90), (0.10, 0.95, 29), (0.10, 0.90, 22), (0.01, 0.95, 299), (0.25, 0.95, 11)]


@pytest.mark.parametrize(("share", "confidence", "n"), WILKS)
def test_the_parts_that_a_promise_takes(share: float, confidence: float, n: int) -> None:
    assert parts_needed(share, confidence) == n
    assert supported_rate(n, n, confidence) <= share < supported_rate(n - 1, n - 1, confidence)


# Higher orders (how many of n scores may lie above t2): 93 parts may reject 1, 124 may reject 2
@pytest.mark.parametrize(("n", "above"), [(58, 0), (59, 0), (92, 0), (93, 1), (123, 1), (124, 2), (153, 3)])
def test_more_parts_let_the_threshold_lie_lower(n: int, above: int) -> None:
    assert n - confident_rank(n, 0.05, 0.95) == above


@pytest.mark.parametrize(("n", "rank", "share"), [(20, 20, 0.1), (60, 58, 0.05), (200, 190, 0.08)])
def test_the_rate_is_the_binomials(n: int, rank: int, share: float) -> None:
    # The rate exceeds `share` exactly where at least `rank` of n scores fall below the (1 - share) quantile.
    confidence = 1 - binom.sf(rank - 1, n, 1 - share)
    assert supported_rate(n, rank, confidence) == pytest.approx(share)


@pytest.mark.parametrize(("n", "share", "confidence"), [(20, 0.05, None), (60, 0.05, 0.95), (100, 0.1, 0.9)])
def test_the_promise_holds_as_often_as_it_says(n: int, share: float, confidence: float | None) -> None:
    rng = np.random.default_rng(0)
    kept, rates = 0, []
    for _ in range(600):
        found, promise = calibrate(rng.exponential(size=n).tolist(), Calibration(share, 0.2, confidence=confidence), 5)
        rates.append(np.exp(-found.t2))  # of exponential scores exactly this share lies above t2
        kept += rates[-1] <= promise.false_reject
    assert promise.confidence is not None
    assert binom.cdf(kept, 600, promise.confidence) > 0.001
    assert np.mean(rates) == pytest.approx(promise.on_average, rel=0.15)


def test_a_promise_that_the_parts_cannot_keep_is_refused_with_the_number_that_can() -> None:
    asked = Calibration(false_reject=0.05, confidence=0.95)
    with pytest.raises(TrialsightError, match=r"20 good parts promise at most 13\.9% .* 5\.0% takes 59") as refused:
        check_promise(20, asked)
    assert "add 39 good parts" in str(refused.value.remedy)
    assert check_promise(59, asked) is None


def test_what_nobody_asked_for_by_name_is_only_told() -> None:
    assert "10 good parts promise at most 25.9%" in (check_promise(10, Calibration()) or "")
    assert check_promise(59, Calibration()) is None


def test_a_promise_reads_as_a_sentence() -> None:
    _, promise = calibrate(list(range(59)), Calibration(), folds=5)
    assert str(promise) == "≤ 5.0% of good parts rejected with 95% confidence, n = 59"
