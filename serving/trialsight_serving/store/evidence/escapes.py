"""The regression set: frames of defects that a model let pass. No later one may let them pass again.

It is read from the decisions, which are only ever appended, and whose parts no retention takes away: so it only grows.
A frame whose judges have changed their minds stays in it and stops counting.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store.frames import FrameRecord, frame_by_id
from trialsight_serving.store.review.decisions import decisions_of
from trialsight_serving.store.review.standing import DISAGREED, standing
from trialsight_serving.store.tables import decisions, frames

MISSED = "missed_defect"


def known_escapes(connection: Connection, organisation: str, recipe: str) -> Iterator[FrameRecord]:
    """Frames of the recipe that passed, and of which people say, or do not agree, that they show a defect."""
    query = (
        sa.select(frames.c.id)
        .distinct()
        .join(decisions, decisions.c.frame_id == frames.c.id)
        .where(
            decisions.c.organisation_id == organisation,
            decisions.c.decision == MISSED,
            frames.c.organisation_id == organisation,
            frames.c.recipe == recipe,
        )
        .order_by(frames.c.id)
    )
    for frame_id in connection.execute(query).scalars().all():
        frame = frame_by_id(connection, organisation, frame_id)
        assert frame is not None
        events = [one for one in decisions_of(connection, organisation, frame.part_id) if one.frame_id == frame_id]
        now = standing(frame.verdict, events)
        if now.outcome == "defect" or now.review == DISAGREED:
            yield frame
