import numpy as np
import pytest
from scipy import stats

from trialsight_serving.drift.statistics import holm, kolmogorov_smirnov, mann_whitney, more_often, stability_index

CASES = {
    "the same law": (200, 100, 0.0),
    "half a deviation": (200, 100, 0.5),
    "far": (200, 100, 2.0),
    "few": (60, 40, 1.5),
    "few and far": (60, 40, 3.0),
}


@pytest.mark.parametrize(("n", "m", "shift"), CASES.values(), ids=CASES)
def test_p_values_are_scipys(n: int, m: int, shift: float) -> None:
    rng = np.random.default_rng(n + m)
    one, other = rng.normal(size=n), rng.normal(shift, 1, m)
    wins, p = mann_whitney(one, other)
    theirs = stats.mannwhitneyu(other, one, method="asymptotic")
    assert wins == pytest.approx(theirs.statistic / (n * m))
    assert p == pytest.approx(theirs.pvalue, rel=1e-9)
    distance, p = kolmogorov_smirnov(one, other)
    exact = stats.ks_2samp(one, other, method="exact")
    assert distance == pytest.approx(exact.statistic)
    assert p >= 0.99 * exact.pvalue  # it may only err to the quiet side
    assert p <= 2 * exact.pvalue or p < 1e-4


def test_ties_are_counted_as_half() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 4, 50), rng.integers(0, 5, 40)
    theirs = stats.mannwhitneyu(other, one, method="asymptotic")
    assert mann_whitney(one, other)[1] == pytest.approx(theirs.pvalue, rel=1e-9)
    assert mann_whitney(np.ones(30), np.ones(30)) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("before", "now"), [((2, 50), (9, 30)), ((0, 40), (0, 40)), ((0, 100), (14, 50)), ((5, 5), (3, 9))]
)
def test_more_often_is_fishers_exact_test(before: tuple[int, int], now: tuple[int, int]) -> None:
    table = [[now[0], now[1] - now[0]], [before[0], before[1] - before[0]]]
    assert more_often(before, now) == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue)


def test_holm_of_a_textbook_family() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_the_stability_index_is_small_for_one_law_and_large_for_another() -> None:
    rng = np.random.default_rng(2)
    usual = rng.normal(size=5000)
    assert stability_index(usual, rng.normal(size=5000)) < 0.02
    assert stability_index(usual, rng.normal(1, 1, 5000)) > 0.25


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [[1.0], [2.0]]])
def test_a_sample_that_is_none_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="one-dimensional, not empty"):
        mann_whitney(values, [1.0, 2.0])
