"""A part's history in one list: what models said, what people decided and drew."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from trialsight_serving.store.frames import FrameRecord
from trialsight_serving.store.review.masks import MaskRecord
from trialsight_serving.store.review.standing import UNDO, DecisionRecord


@dataclass(frozen=True)
class Event:
    """One of the three is given, as `kind` says. `undone`: a decision that somebody took back."""

    at: datetime
    kind: Literal["frame", "decision", "mask"]
    frame: FrameRecord | None = None
    decision: DecisionRecord | None = None
    mask: MaskRecord | None = None
    undone: bool = False


def history(
    frames: Sequence[FrameRecord], decisions: Sequence[DecisionRecord], masks: Sequence[MaskRecord]
) -> list[Event]:
    """Newest first."""
    undone = {one.undoes for one in decisions if one.decision == UNDO}
    events = [
        *(Event(one.received_at, "frame", frame=one) for one in frames),
        *(Event(one.decided_at, "decision", decision=one, undone=one.key in undone) for one in decisions),
        *(Event(one.drawn_at, "mask", mask=one) for one in masks),
    ]
    return sorted(events, key=lambda event: event.at, reverse=True)
