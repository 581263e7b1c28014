"""Statistics on resampled parts against scikit-learn on the parts themselves, and intervals that cover."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from trialsight_training.bootstrap import Statistic, auroc, average_precision, mean_over, paired, resamples


def parts(seed: int, separation: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores with ties, and which are defective."""
    rng = np.random.default_rng(seed)
    defective = np.arange(60) < 25
    return np.round(rng.normal(size=60) + separation * defective, 1), defective


@pytest.mark.parametrize(("ours", "theirs"), [(auroc, roc_auc_score), (average_precision, average_precision_score)])
def test_a_resample_is_the_parts_repeated(ours: "object", theirs: "object") -> None:
    scores, defective = parts(0)
    statistic: Statistic = ours(scores, defective)  # type: ignore[operator]
    assert statistic(np.ones((1, 60)))[0] == pytest.approx(theirs(defective, scores))  # type: ignore[operator]
    weights = next(iter(resamples(defective, seed=1)))[:5]
    for found, drawn in zip(statistic(weights), weights.astype(int), strict=True):
        repeated = theirs(np.repeat(defective, drawn), np.repeat(scores, drawn))  # type: ignore[operator]
        assert found == pytest.approx(repeated)


def test_every_resample_has_as_many_good_and_defective_parts_as_the_set() -> None:
    _, defective = parts(0)
    weights = np.concatenate(list(resamples(defective, seed=0)))
    assert len(weights) == 2000
    assert (weights[:, defective].sum(1) == 25).all() and (weights[:, ~defective].sum(1) == 35).all()


def test_the_interval_covers_the_true_difference_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        defective = np.arange(200) < 100
        shared = rng.normal(size=200)
        a = shared + rng.normal(size=200) + 2.0 * defective  # AUROC of a normal shift of 2 by sqrt 2: 0.8413
        b = shared + rng.normal(size=200) + 1.0 * defective  # 0.6915
        found = paired("auroc", auroc(a, defective), auroc(b, defective), defective)
        assert found.low is not None and found.high is not None
        covered += found.low <= 0.6915 - 0.8413 <= found.high
    assert covered >= 33  # of 40 at 95 %: fewer once in 3,000


def test_the_same_model_does_not_differ() -> None:
    scores, defective = parts(3)
    found = paired("auroc", auroc(scores, defective), auroc(scores, defective), defective)
    assert (found.difference, found.low, found.high) == (0, 0, 0)


def test_a_mean_is_over_the_chosen_parts() -> None:
    values, chosen = np.array([1.0, 5.0, 3.0]), np.array([True, False, True])
    assert mean_over(values, chosen)(np.array([[1.0, 9.0, 1.0], [2.0, 0.0, 0.0]])).tolist() == [2, 1]
