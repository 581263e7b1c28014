"""Exact intervals against the published tables."""

import pytest

from trialsight_training.intervals import Rate, rate

# Clopper and Pearson's 95 % interval: none of n gives 1 - 0.025^(1/n), the rule of three's exact form
TABLE = [(0, 10, 0, 0.3085), (0, 59, 0, 0.0606), (1, 10, 0.0025, 0.4450), (5, 10, 0.1871, 0.8129), (10, 10, 0.6915, 1)]


@pytest.mark.parametrize(("count", "of", "low", "high"), TABLE)
def test_the_interval_is_the_tables(count: int, of: int, low: float, high: float) -> None:
    found = rate(count, of)
    assert found.rate == count / of
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_of_nothing_nothing_is_said() -> None:
    assert rate(0, 0) == Rate(0, 0, None, None, None)
    assert str(rate(0, 0)) == "-"
    assert str(rate(1, 10)) == "1 of 10, 10.0% (0.3% to 44.5%)"
