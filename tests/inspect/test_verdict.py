import math

import pytest

from trialsight.verdict import Thresholds, Verdict, judge

THRESHOLDS = Thresholds(t1=1.0, t2=2.0, region=1.0)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (0.0, Verdict.PASS),
        (math.nextafter(1.0, 0), Verdict.PASS),
        (1.0, Verdict.REVIEW),  # on t1: not below it
        (1.5, Verdict.REVIEW),
        (2.0, Verdict.REVIEW),  # on t2: not above it
        (math.nextafter(2.0, 3), Verdict.REJECT),
        (-5.0, Verdict.PASS),
        (math.nan, Verdict.NO_VERDICT),
        (math.inf, Verdict.NO_VERDICT),
        (-math.inf, Verdict.NO_VERDICT),  # a fault must not look like a very good part
    ],
)
def test_judge(score: float, verdict: Verdict) -> None:
    given, reason = judge(score, THRESHOLDS)
    assert given is verdict
    assert (reason is None) == (verdict is Verdict.PASS)


def test_equal_thresholds_leave_no_review_but_their_own_value() -> None:
    one = Thresholds(1.0, 1.0, 1.0)
    assert [judge(score, one)[0] for score in (0.9, 1.0, 1.1)] == [Verdict.PASS, Verdict.REVIEW, Verdict.REJECT]


@pytest.mark.parametrize("values", [(2.0, 1.0, 1.0), (math.nan, 1.0, 1.0), (0.0, math.inf, 1.0)])
def test_thresholds_that_make_no_sense_are_refused(values: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"t1|finite"):
        Thresholds(*values)
