from dataclasses import dataclass
from typing import Any, Literal

import pytest

from trialsight.structure import structure
from trialsight.verdict import Verdict


@dataclass(frozen=True)
class Inner:
    size: int
    ratio: float = 1.0


@dataclass(frozen=True)
class Outer:
    inner: Inner
    tags: tuple[str, ...] = ()
    pair: tuple[int, int] = (1, 2)
    kind: Literal["a", "b"] = "a"
    note: str | None = None
    verdict: Verdict = Verdict.PASS
    extra: dict[str, float | None] | None = None


def test_a_full_value_is_built() -> None:
    data = {"inner": {"size": 3, "ratio": 2}, "tags": ["x"], "note": None, "verdict": "reject", "extra": {"m": None}}
    assert structure(Outer, data) == Outer(Inner(3, 2.0), ("x",), verdict=Verdict.REJECT, extra={"m": None})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "'inner' is missing"),
        ({"inner": {"size": 1}, "colour": 1}, "unknown field 'colour'"),
        ({"inner": {"size": "1"}}, r"Outer\.inner\.size: expected int, got '1'"),
        ({"inner": {"size": True}}, "expected int, got True"),
        ({"inner": {"size": 1, "ratio": "2"}}, "expected float"),
        ({"inner": {"size": 1}, "tags": "xy"}, "tags"),
        ({"inner": {"size": 1}, "tags": ["x", 2]}, r"tags\[1\]"),
        ({"inner": {"size": 1}, "pair": [1]}, "expected 2 items, got 1"),
        ({"inner": {"size": 1}, "kind": "c"}, "'c' is not one of a, b"),
        ({"inner": {"size": 1}, "verdict": "maybe"}, "'maybe' is not one of pass"),
        ({"inner": {"size": 1}, "extra": {"m": "x"}}, r"extra\.m"),
        ([], "expected a mapping"),
    ],
)
def test_each_fault_names_its_field(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        structure(Outer, data)
