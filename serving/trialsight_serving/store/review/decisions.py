"""What people decided about parts: appended, stored once however often it is sent, and summed up in the part's row."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from trialsight_serving.store import audit
from trialsight_serving.store.frames import class_seen, frame_by_id, worst_frames
from trialsight_serving.store.parts import part_by_id
from trialsight_serving.store.review.standing import UNDO, DecisionRecord, Standing, standing
from trialsight_serving.store.tables import decisions, parts

_AUDITED = ("decision", "note", "defect_class", "bulk", "undoes")


@dataclass(frozen=True)
class Decision:
    """What somebody wants stored. `frame_id` None: the part's newest frame. `undoes`: the key of what is taken back."""

    key: str
    part_id: str
    decision: str
    frame_id: str | None = None
    note: str = ""
    defect_class: str | None = None
    bulk: str | None = None
    undoes: str | None = None


class DecisionRefusedError(Exception):
    """`slug`: `part-not-found`, `frame-not-found`, `key-reused`, `nothing-to-undo`."""

    def __init__(self, slug: str, detail: str) -> None:
        super().__init__(detail)
        self.slug, self.detail = slug, detail


def insert_decision(
    connection: Connection, organisation: str, wanted: Decision, decided_by: str, decided_at: datetime
) -> tuple[DecisionRecord, bool]:
    """The stored event, and whether it is new: the same one sent again changes nothing. Raises DecisionRefusedError."""
    if (first := decision_by_key(connection, organisation, wanted.key)) is not None:
        if (first.part_id, first.decision, first.decided_by) != (wanted.part_id, wanted.decision, decided_by):
            raise DecisionRefusedError("key-reused", f"the key {wanted.key!r} was used for another decision")
        return first, False
    part = part_by_id(connection, organisation, wanted.part_id)
    if part is None:
        raise DecisionRefusedError("part-not-found", f"there is no part {wanted.part_id!r}")
    frame_id = wanted.frame_id or part.last_frame_id
    if wanted.frame_id is not None:
        frame = frame_by_id(connection, organisation, wanted.frame_id)
        if frame is None or frame.part_id != part.id:
            raise DecisionRefusedError("frame-not-found", f"part {part.serial} has no frame {wanted.frame_id!r}")
    if wanted.decision == UNDO:
        frame_id = _undoable(connection, organisation, wanted, decided_by).frame_id
    values = {
        "part_id": part.id,
        "frame_id": frame_id,
        "decision": wanted.decision,
        "note": wanted.note,
        "decided_by": decided_by,
        "decided_at": decided_at,
        "key": wanted.key,
        "defect_class": wanted.defect_class,
        "bulk": wanted.bulk,
        "undoes": wanted.undoes,
    }
    inserted = connection.execute(decisions.insert(), {"organisation_id": organisation, **values})
    assert inserted.inserted_primary_key is not None
    _sum_up(connection, organisation, part.id)
    old = None if part.decision is None else {"decision": part.decision}
    new = {name: value for name, value in values.items() if value and name in _AUDITED}
    new |= {"frame": frame_id, "verdict": part.verdict}
    audit.record(connection, organisation, decided_by, "part.decided", f"part/{part.id}", old, new, decided_at)
    return DecisionRecord(int(inserted.inserted_primary_key[0]), **values), True  # type: ignore[arg-type]


def decision_by_key(connection: Connection, organisation: str, key: str) -> DecisionRecord | None:
    query = sa.select(decisions).where(decisions.c.organisation_id == organisation, decisions.c.key == key)
    row = connection.execute(query).mappings().first()
    return None if row is None else _record(row)


def decisions_of(connection: Connection, organisation: str, part_id: str) -> list[DecisionRecord]:
    """Oldest first."""
    query = (
        sa.select(decisions)
        .where(decisions.c.organisation_id == organisation, decisions.c.part_id == part_id)
        .order_by(decisions.c.id)
    )
    return [_record(row) for row in connection.execute(query).mappings()]


def standing_of(connection: Connection, organisation: str, part_id: str) -> Standing:
    """How the review stands of what the part's newest frame showed. The part must exist."""
    part = part_by_id(connection, organisation, part_id)
    assert part is not None
    events = decisions_of(connection, organisation, part_id)
    return standing(part.verdict, [event for event in events if event.frame_id == part.last_frame_id])


def _sum_up(connection: Connection, organisation: str, part_id: str) -> None:
    now = standing_of(connection, organisation, part_id)
    defect_class = None if now.decision is None else now.decision.defect_class
    if defect_class is None and now.outcome != "good":
        defect_class = _class_seen(connection, organisation, part_id)
    values = {
        "review": now.review,
        "decision": None if now.decision is None else now.decision.decision,
        "defect_class": defect_class,
        "has_decisions": 1,
    }
    connection.execute(parts.update().where(parts.c.id == part_id), values)


def _class_seen(connection: Connection, organisation: str, part_id: str) -> str | None:
    """What the model called it."""
    worst = worst_frames(connection, organisation, [part_id]).get(part_id)
    return None if worst is None else class_seen(worst.regions)


def _undoable(connection: Connection, organisation: str, wanted: Decision, decided_by: str) -> DecisionRecord:
    """The decision that an undo names: of the same part and person. One that was undone before is undone still."""
    found = None if wanted.undoes is None else decision_by_key(connection, organisation, wanted.undoes)
    if found is None or found.decision == UNDO or (found.part_id, found.decided_by) != (wanted.part_id, decided_by):
        detail = f"{decided_by} made no decision {wanted.undoes!r} about this part"
        raise DecisionRefusedError("nothing-to-undo", detail)
    return found


def _record(row: RowMapping) -> DecisionRecord:
    return DecisionRecord(**{name: value for name, value in row.items() if name != "organisation_id"})
