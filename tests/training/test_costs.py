"""Thresholds by cost: small cases by hand, and never worse than any other pair."""

import numpy as np
import pytest

from trialsight.recipe import Calibration, Costs
from trialsight_training.calibrate import calibrate
from trialsight_training.costs import cheapest, expected_cost

COSTS = Costs(escape=100, overkill=10, review=1, defect_rate=0.1)


def test_scores_that_part_cleanly_need_no_review() -> None:
    assert cheapest([1, 2, 3], [5, 6], COSTS, floor=3) == (4, 4)


def test_what_overlaps_is_reviewed() -> None:
    # One good part at 5, one defect at 4: both between the thresholds.
    assert cheapest([1, 2, 3, 5], [4, 6, 7], COSTS, floor=3) == (3.5, 5.5)


def test_cheap_escapes_widen_what_passes() -> None:
    assert cheapest([1, 2, 3, 5], [4, 6, 7], Costs(1, 10, 1, 0.1), floor=3)[0] == 5.5


def test_costs_never_take_t2_below_the_promise() -> None:
    assert cheapest([1, 2, 3, 9], [4, 5, 6], COSTS, floor=9) == (3.5, pytest.approx(9.08))
    calibration = Calibration(0.05, 0.15, costs=COSTS)
    thresholds, promise = calibrate([1.0, 2.0, 3.0, 9.0, 2.5], calibration, 5, [4.0, 5.0, 6.0])
    assert thresholds.t2 >= 9
    assert promise == calibrate([1.0, 2.0, 3.0, 9.0, 2.5], Calibration(0.05, 0.15), 5)[1]


@pytest.mark.parametrize("seed", range(20))
def test_no_other_pair_costs_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    good, bad = rng.normal(0, 1, 15), rng.normal(1.5, 1, 8)
    costs = Costs(rng.uniform(5, 200), rng.uniform(2, 20), 1, rng.uniform(0.01, 0.5))
    floor = float(np.sort(good)[-2])
    best = expected_cost(good, bad, costs, *cheapest(good, bad, costs, floor))
    others = rng.uniform(-3, 5, (500, 2))
    for t1, t2 in np.sort(others, axis=1):
        if t2 >= floor:
            assert best <= expected_cost(good, bad, costs, t1, t2) + 1e-9


@pytest.mark.parametrize(
    ("escape", "overkill", "review", "rate", "message"),
    [(0.5, 1, 1, 0.1, "review"), (1, 1, 0, 0.1, "review"), (1, 1, 1, 0, "defect_rate")],
)
def test_costs_that_mean_nothing_are_refused(
    escape: float, overkill: float, review: float, rate: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Costs(escape, overkill, review, rate)
