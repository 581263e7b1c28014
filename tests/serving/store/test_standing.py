"""What people's decisions about a part come to."""

from datetime import UTC, datetime

import pytest

from trialsight_serving.store.review.standing import DecisionRecord, outcome_of, standing

NOW = datetime(2026, 5, 1, tzinfo=UTC)

OUTCOMES = [
    ("confirm", "reject", "defect"),
    ("confirm", "review", "defect"),
    ("confirm", "pass", "good"),
    ("confirm", "no_verdict", "unknown"),
    ("overrule_good", "reject", "good"),
    ("missed_defect", "pass", "defect"),
    ("missed_defect", "no_verdict", "defect"),
    ("unsure", "reject", None),
]


@pytest.mark.parametrize(("decision", "verdict", "outcome"), OUTCOMES)
def test_what_a_decision_says_of_the_part(decision: str, verdict: str, outcome: str | None) -> None:
    assert outcome_of(decision, verdict) == outcome


# Who decided what, in order; "undo 0" takes back the first event. Then: review, whose decision holds, outcome.
CASES = {
    "nobody": ([], ("unreviewed", None, None)),
    "one": (["mei confirm"], ("decided", 0, "defect")),
    "one who thought again": (["mei confirm", "mei overrule_good"], ("decided", 1, "good")),
    "one who took it back": (["mei confirm", "mei undo 0"], ("unreviewed", None, None)),
    "one who took a second thought back": (
        ["mei confirm", "mei overrule_good", "mei undo 1"],
        ("decided", 0, "defect"),
    ),
    "unsure": (["mei unsure"], ("unsure", 0, None)),
    "two unsure": (["mei unsure", "jun unsure"], ("unsure", 1, None)),
    "unsure, then a second reviewer": (["mei unsure", "jun overrule_good"], ("decided", 1, "good")),
    "two who agree": (["mei confirm", "jun missed_defect"], ("decided", 1, "defect")),
    "two who differ": (["mei confirm", "jun overrule_good"], ("disagreed", 1, None)),
    "two who differ, and a third": (
        ["mei confirm", "jun overrule_good", "lan confirm"],
        ("decided", 2, "defect"),
    ),
    "two who differ, and a third who is unsure": (
        ["mei confirm", "jun overrule_good", "lan unsure"],
        ("disagreed", 1, None),
    ),
    "two against two": (
        ["mei confirm", "jun overrule_good", "lan confirm", "tao overrule_good"],
        ("disagreed", 3, None),
    ),
    "one of two who differ gives in": (
        ["mei confirm", "jun overrule_good", "mei overrule_good"],
        ("decided", 2, "good"),
    ),
}


@pytest.mark.parametrize(("said", "expected"), CASES.values(), ids=CASES.keys())
def test_how_a_review_stands(said: list[str], expected: tuple[str, int | None, str | None]) -> None:
    events = []
    for number, words in enumerate(said):
        who, decision, *undone = words.split()
        undoes = f"key-{undone[0]}" if undone else None
        events.append(DecisionRecord(number, "p", "f", decision, "", who, NOW, key=f"key-{number}", undoes=undoes))
    now = standing("reject", events)
    assert (now.review, None if now.decision is None else now.decision.id, now.outcome) == expected
