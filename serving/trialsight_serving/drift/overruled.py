"""How often people overrule the verdicts of one line's model."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.drift.look import Overruled
from trialsight_serving.store.drift import ReferenceRecord
from trialsight_serving.store.review.standing import DECIDED, outcome_of
from trialsight_serving.store.tables import frames, parts

_RIGHT = {"pass": "good", "reject": "defect"}  # `review` asks; nobody overrules a question


def overruled_verdicts(connection: Connection, reference: ReferenceRecord, count: int) -> Overruled | None:
    """Of the first `count` decided parts since the model went live, and of the newest; None until both are there."""
    of = reference.of
    query = (
        sa.select(parts.c.decision, frames.c.verdict)
        .join(frames, frames.c.id == parts.c.last_frame_id)
        .where(
            parts.c.organisation_id == of.organisation,
            parts.c.line == of.line,
            parts.c.last_seq >= reference.first_seq,
            parts.c.review == DECIDED,
            frames.c.view == of.view,
            frames.c.recipe == of.recipe,
            frames.c.model_version == of.version,
            frames.c.verdict.in_(_RIGHT),
        )
    )
    first = _wrong(connection, query.order_by(parts.c.last_seq).limit(count))
    newest = _wrong(connection, query.order_by(parts.c.last_seq.desc()).limit(2 * count))
    if len(first) < count or len(newest) < 2 * count:
        return None  # too few, or the two would overlap
    return Overruled((sum(first), count), (sum(newest[:count]), count))


def _wrong(connection: Connection, query: sa.Select[Any]) -> list[bool]:
    return [outcome_of(decision, verdict) != _RIGHT[verdict] for decision, verdict in connection.execute(query)]
