"""What several people's decisions about a part come to: pure, and the same wherever it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

UNDO = "undo"
# States of a review. Somebody unsure, or two who disagree, wait for one more pair of eyes.
UNREVIEWED, UNSURE, DISAGREED, DECIDED = "unreviewed", "unsure", "disagreed", "decided"
REVIEW_STATES = (UNREVIEWED, UNSURE, DISAGREED, DECIDED)


@dataclass(frozen=True)
class DecisionRecord:
    """An event. `undoes`: the key of the decision that this one takes back. `bulk`: what was decided together."""

    id: int
    part_id: str
    frame_id: str
    decision: str
    note: str
    decided_by: str
    decided_at: datetime
    key: str
    defect_class: str | None = None
    bulk: str | None = None
    undoes: str | None = None


@dataclass(frozen=True)
class Standing:
    """`decision`: the one that holds. `outcome`: `good`, `defect`, `unknown`, or None where that is open."""

    review: str
    decision: DecisionRecord | None = None
    outcome: str | None = None


def outcome_of(decision: str, verdict: str) -> str | None:
    """What a decision says of the part, given the verdict that it was about; None where it says nothing."""
    if decision == "confirm":
        # A flag that is confirmed is a defect; that nothing could be seen, when confirmed, says nothing of the part.
        return {"pass": "good", "no_verdict": "unknown"}.get(verdict, "defect")
    return {"overrule_good": "good", "missed_defect": "defect"}.get(decision)


def standing(verdict: str, events: Sequence[DecisionRecord]) -> Standing:
    """`events`: about one and the same frame, oldest first. Each person's newest decision counts, undone ones don't.

    Two people who differ leave it open; from the third on, most voices win.
    """
    undone = {event.undoes for event in events if event.decision == UNDO}
    newest = {event.decided_by: event for event in events if event.decision != UNDO and event.key not in undone}
    if not newest:
        return Standing(UNREVIEWED)
    voices: dict[str, list[DecisionRecord]] = {}
    for event in sorted(newest.values(), key=lambda event: event.id):
        if (outcome := outcome_of(event.decision, verdict)) is not None:
            voices.setdefault(outcome, []).append(event)
    if not voices:
        return Standing(UNSURE, max(newest.values(), key=lambda event: event.id))
    ranked = sorted(voices.items(), key=lambda voice: len(voice[1]), reverse=True)
    if len(ranked) > 1 and len(ranked[0][1]) == len(ranked[1][1]):
        return Standing(DISAGREED, max((voice[-1] for voice in voices.values()), key=lambda event: event.id))
    outcome, events_of_it = ranked[0]
    return Standing(DECIDED, events_of_it[-1], outcome)
