import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialsight.geometry.shapes import Shape
from trialsight.regions import Region
from trialsight.rules import SEVERITY, Condition, Rule, check_rules, rule_on
from trialsight.verdict import Thresholds, Verdict

THRESHOLDS = Thresholds(t1=1.0, t2=2.0, region=1.0)
ZONES = {"A": Shape(rect=(0, 0, 100, 100)), "B": Shape(rect=(100, 0, 100, 100))}
NO_LONG_SCRATCH = Rule("no scratch longer than 2 mm", "scratch", where=(Condition("length_mm", above=2.0),))
FEW_SPOTS_IN_A = Rule("three small spots in A", zone="A", where=(Condition("area_mm2", below=0.5),), at_most=3)
NO_SPOTS_IN_B = Rule("no spots in B", zone="B")
ANY_CRACK = Rule("any crack", "crack")
SHORT_IS_FINE = Rule("short scratches", "scratch", where=(Condition("length_mm", below=2.0),), at_most=99)
MANY_ARE_ODD = Rule("many spots", at_most=2, verdict="review")


def region(
    x: float = 50, length_mm: float = 1.0, area_mm2: float = 0.1, peak: float = 3.0, kind: str | None = None
) -> Region:
    return Region(
        contour=((x, 50),), box_px=(x, 50, 1, 1), center_px=(x, 50), area_px=1, length_px=1, width_px=1, angle_deg=0,
        peak=peak, mean=peak, area_mm2=area_mm2, length_mm=length_mm, width_mm=0.1, defect_class=kind,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "regions", "verdict", "rule"),
    [
        ([], [], Verdict.PASS, None),
        ([], [region()], Verdict.REJECT, "score"),
        ([NO_LONG_SCRATCH], [region(length_mm=2.5, kind="scratch")], Verdict.REJECT, "no scratch longer than 2 mm"),
        ([NO_LONG_SCRATCH], [region(length_mm=2.5, kind="stain", peak=1.5)], Verdict.REVIEW, "score"),
        ([NO_LONG_SCRATCH], [region(length_mm=2.0, kind="scratch", peak=1.5)], Verdict.REVIEW, "score"),  # on the bound
        ([SHORT_IS_FINE], [region(length_mm=1.5, kind="scratch")], Verdict.PASS, None),
        ([SHORT_IS_FINE, NO_LONG_SCRATCH], [region(length_mm=3, kind="scratch")], Verdict.REJECT, NO_LONG_SCRATCH.name),
        ([SHORT_IS_FINE], [region(kind="scratch"), region(kind="dent", peak=1.5)], Verdict.REVIEW, "score"),
        ([FEW_SPOTS_IN_A], [region()] * 3, Verdict.PASS, None),
        ([FEW_SPOTS_IN_A], [region()] * 4, Verdict.REJECT, "three small spots in A"),
        ([FEW_SPOTS_IN_A], [region(area_mm2=0.6)], Verdict.REJECT, "score"),  # too large to be a spot
        ([FEW_SPOTS_IN_A], [region(x=150)], Verdict.REJECT, "score"),  # in the other zone
        ([FEW_SPOTS_IN_A, NO_SPOTS_IN_B], [region(), region(x=150)], Verdict.REJECT, "no spots in B"),
        ([ANY_CRACK], [region(kind="crack", peak=1.2)], Verdict.REJECT, "any crack"),
        ([MANY_ARE_ODD], [region(peak=1.2)] * 3, Verdict.REVIEW, "many spots"),
        ([MANY_ARE_ODD, ANY_CRACK], [region(peak=1.2), region(kind="crack"), region()], Verdict.REJECT, "any crack"),
    ],
)
def test_rules(rules: list[Rule], regions: list[Region], verdict: Verdict, rule: str | None) -> None:
    score = max((one.peak for one in regions), default=0.5)
    ruling = rule_on(score, regions, THRESHOLDS, rules, ZONES)
    assert (ruling.verdict, ruling.rule) == (verdict, rule)
    assert (ruling.reason is None) == (verdict is Verdict.PASS)


def test_the_reason_names_every_rule_that_fired() -> None:
    regions = [region(peak=1.2), region(x=150, kind="crack"), region(kind="crack")]
    rules = [MANY_ARE_ODD, ANY_CRACK, NO_SPOTS_IN_B, NO_LONG_SCRATCH]
    ruling = rule_on(3.0, regions, THRESHOLDS, rules, ZONES)
    assert (ruling.rule, ruling.reason) == (
        "any crack",
        "any crack: 2 regions, at most 0; also many spots, no spots in B",
    )
    ruling = rule_on(3.0, [region()] * 3, THRESHOLDS, [MANY_ARE_ODD], ZONES)
    assert (ruling.rule, ruling.reason) == ("score", "score 3.0 > t2 2.0; also many spots")


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_no_rule_turns_a_fault_into_a_pass(score: float) -> None:
    everything = Rule("all fine", at_most=1000)
    assert rule_on(score, [region()], THRESHOLDS, [everything], {}).verdict is Verdict.NO_VERDICT


@given(
    peaks=st.lists(st.floats(0, 5), max_size=6),
    rules=st.lists(
        st.sampled_from([NO_LONG_SCRATCH, FEW_SPOTS_IN_A, NO_SPOTS_IN_B, ANY_CRACK, MANY_ARE_ODD]), unique=True
    ),
)
def test_a_rule_that_fires_is_never_outvoted(peaks: list[float], rules: list[Rule]) -> None:
    regions = [region(x=50 + 100 * (index % 2), peak=peak) for index, peak in enumerate(peaks)]
    ruling = rule_on(max(peaks, default=0), regions, THRESHOLDS, rules, ZONES)
    for rule in rules:
        if sum(rule.is_about(one, ZONES) for one in regions) > rule.at_most:
            assert SEVERITY[ruling.verdict] >= SEVERITY[Verdict(rule.verdict)]


@pytest.mark.parametrize(
    ("rules", "has_scale", "message"),
    [
        ([replace(NO_SPOTS_IN_B, zone="C")], True, "zone 'C' is not among A, B"),
        ([NO_LONG_SCRATCH], False, "length_mm needs the view's scale"),
        ([ANY_CRACK, ANY_CRACK], True, "two rules are called 'any crack'"),
    ],
)
def test_rules_that_cannot_work_are_refused(rules: list[Rule], has_scale: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_rules(rules, ZONES, has_scale)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Condition("length_mm"),
        lambda: Condition("peak", above=math.nan),
        lambda: Rule(" "),
        lambda: Rule("a", at_most=-1),
    ],
)
def test_values_that_make_no_sense_are_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r".+"):
        make()
