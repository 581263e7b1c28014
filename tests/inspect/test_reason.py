"""A reason is its text to whoever reads English, and its code with values to everybody else."""

import copy
import json
import pickle
import string

import pytest

from trialsight.reason import REASONS, Reason


@pytest.mark.parametrize("code", REASONS)
def test_every_reason_is_whole_in_copies_and_as_json(code: str) -> None:
    names = {name for _, name, _, _ in string.Formatter().parse(REASONS[code]) if name}
    reason = Reason(code, **dict.fromkeys(names, 1.23456))
    assert set(reason.values) == names
    assert "1.235" in reason or not names
    for other in (copy.deepcopy(reason), pickle.loads(pickle.dumps(reason))):
        assert (other, other.code, other.values) == (reason, code, reason.values)
    assert json.loads(json.dumps(reason)) == reason
    assert json.loads(json.dumps(reason.to_json())) == {"code": code, "values": reason.values}


def test_what_json_has_no_number_for_is_a_word() -> None:
    reason = Reason("score_not_finite", score=float("nan"))
    assert reason.values == {"score": "nan"}
    assert reason == "score is not a finite number: nan"
