"""Textbook numbers of the conformal quantile; t1 and t2 from scores alone."""

import pytest
import torch

from trialsight.errors import TrialsightError
from trialsight.recipe import Calibration
from trialsight_training.calibrate import assign_folds, calibrate, check_count, conformal_rank

# n scores, share of good parts that may exceed -> rank: ceil((n + 1)(1 - share)), n where that is too many
RANKS = [
    ("99 scores, 10 %", 99, 0.10, 90),
    ("99 scores, 1 %", 99, 0.01, 99),
    ("19 scores, 5 %: exactly enough", 19, 0.05, 19),
    ("20 scores, 5 %", 20, 0.05, 20),
    ("18 scores, 5 %: one too few", 18, 0.05, 18),
    ("20 scores, 15 %", 20, 0.15, 18),
    ("60 scores, 5 %", 60, 0.05, 58),
    ("5 scores, 5 %: far too few", 5, 0.05, 5),
]


@pytest.mark.parametrize(("n", "share", "rank"), [row[1:] for row in RANKS], ids=[row[0] for row in RANKS])
def test_conformal_rank(n: int, share: float, rank: int) -> None:
    assert conformal_rank(n, share) == rank


@pytest.mark.parametrize(
    ("n", "promised", "average"),
    [(99, 0.0470, 0.02), (59, 0.0495, 1 / 60), (20, 0.1391, 1 / 21), (10, 0.2589, 1 / 11), (5, 0.4507, 1 / 6)],
)
def test_the_promise_is_what_the_number_of_parts_supports(n: int, promised: float, average: float) -> None:
    thresholds, promise = calibrate(list(range(1, n + 1)), Calibration(false_reject=0.05, review=0.15), folds=5)
    assert (promise.n, promise.confidence) == (n, 0.95)
    assert promise.false_reject == pytest.approx(promised, abs=1e-4)
    assert promise.on_average == pytest.approx(average)
    assert thresholds.t1 <= thresholds.t2


def test_margin_lifts_both_thresholds_by_a_share_of_the_spread() -> None:
    scores = [1.0, 2.0, 3.0, 4.0, 5.0]
    plain, _ = calibrate(scores, Calibration(0.1, 0.4), folds=5)
    lifted, _ = calibrate(scores, Calibration(0.1, 0.4, margin=0.5), folds=5)
    assert (plain.t1, plain.t2) == (4.0, 5.0)
    assert (lifted.t1, lifted.t2) == (5.0, 6.0)  # median 3, spread 2
    assert lifted.region == lifted.t1


def test_few_parts_are_refused_or_warned_of() -> None:
    with pytest.raises(TrialsightError, match="1 good training part is too few"):
        check_count(1)
    with pytest.raises(TrialsightError, match="4 good training parts are too few"):
        check_count(4)
    assert "only 9 good parts" in (check_count(9) or "")
    assert check_count(10) is None


def test_folds_are_even_and_follow_the_seed() -> None:
    folds = assign_folds(13, 5, seed=2)
    assert sorted(torch.bincount(folds).tolist()) == [2, 2, 3, 3, 3]
    assert torch.equal(folds, assign_folds(13, 5, seed=2))
    assert not torch.equal(folds, assign_folds(13, 5, seed=3))
    assert torch.bincount(assign_folds(6, 10, seed=0)).tolist() == [1] * 6
