"""Results: one frame's row, its part's summary and its idempotency key, written together; and how to read them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from trialsight.reason import Reason
from trialsight_serving.store.ids import new_id
from trialsight_serving.store.tables import frames, idempotency_keys, parts

# Worst first: a part is as bad as the worst of its views, and what was not seen is worse than what was not sure.
SEVERITY = ("reject", "no_verdict", "review", "pass")


@dataclass(frozen=True)
class FrameRecord:
    """A row of `frames`; the store gives `seq`, `part_id` and the part's standing. `map_scale`: score at full code.
    `why`: code and values of `reason`. `signals`, `embedding` (float16): what drift is told by. `stored_bytes`: of the
    picture and the map."""

    id: str
    organisation_id: str
    part: str
    line: str
    view: str
    trial: str
    captured_at: datetime | None
    received_at: datetime
    verdict: str
    reason: str | None
    rule: str | None
    score: float | None
    thresholds: dict[str, float]
    regions: list[dict[str, Any]]
    recipe: str
    product: str
    variant: str
    model_version: str
    graph_sha256: str
    image_sha256: str
    image_type: str
    width_px: int
    height_px: int
    map_sha256: str | None
    map_scale: float | None
    timings_ms: dict[str, float]
    process: dict[str, Any]
    is_partial: bool = False
    signals: dict[str, float] | None = None
    embedding: bytes | None = None
    stored_bytes: int = 0
    part_id: str = ""
    seq: int = 0
    part_verdict: str | None = None
    part_reason: str | None = None
    why: dict[str, Any] | None = None
    part_why: dict[str, Any] | None = None


_Standing = tuple[str, str | None, dict[str, Any] | None, float | None]
_COLUMNS = tuple(frames.columns.keys())


@dataclass(frozen=True)
class ExpectedViews:
    """The views that a part must have been seen from, their newest frames within `within_ms` of each other."""

    views: tuple[str, ...]
    within_ms: int


class KeyTakenError(Exception):
    """The idempotency key was used before; `frame` is the first answer."""

    def __init__(self, frame: FrameRecord) -> None:
        super().__init__(frame.id)
        self.frame = frame


_SAME_PART = (
    sa.select(parts.c.id)
    .where(
        parts.c.organisation_id == sa.bindparam("organisation"),
        parts.c.trial == sa.bindparam("trial"),
        parts.c.serial == sa.bindparam("serial"),
    )
    .with_for_update()  # a part's views take turns: each must see those before it
)
_NEWEST = sa.select(sa.func.max(frames.c.seq)).where(frames.c.part_id == sa.bindparam("part")).group_by(frames.c.view)
_SEEN = (frames.c.view, frames.c.verdict, frames.c.reason, frames.c.why, frames.c.score, frames.c.received_at)
_OTHER_VIEWS = sa.select(*_SEEN).where(frames.c.seq.in_(_NEWEST))
# One writer on SQLite, so that nobody else takes the same; the newest row is never deleted, so none comes twice.
_NEXT_SEQ = {
    "sqlite": sa.text("SELECT coalesce(max(seq), 0) + 1 FROM frames"),
    "postgresql": sa.text("SELECT nextval(pg_get_serial_sequence('frames', 'seq'))"),
}
_UPDATE_PART = parts.update().where(parts.c.id == sa.bindparam("part"))


def insert_frame(
    connection: Connection, record: FrameRecord, key: str | None, expected: ExpectedViews | None = None
) -> FrameRecord:
    """Raises KeyTakenError where `key` was used on this line before, and writes nothing."""
    if key is not None and (first := frame_by_key(connection, record.organisation_id, record.line, key)) is not None:
        raise KeyTakenError(first)
    same = {"organisation": record.organisation_id, "trial": record.trial, "serial": record.part}
    found = connection.execute(_SAME_PART, same).scalar()
    part_id = new_id() if found is None else found
    seq = int(connection.execute(_NEXT_SEQ[connection.dialect.name]).scalar_one())
    others = [] if found is None else connection.execute(_OTHER_VIEWS, {"part": part_id}).all()
    seen = [row for row in others if row.view != record.view]
    verdict, reason, why, score = _standing([*seen, record], expected)
    record = replace(record, part_id=part_id, seq=seq, part_verdict=verdict, part_reason=reason, part_why=why)
    # The part first and at once as it stands: a frame points at it, and a second write would touch all its indexes.
    summary: dict[str, Any] = {
        "line": record.line,
        "variant": record.variant,
        "last_frame_id": record.id,
        "last_at": record.received_at,
        "last_seq": seq,
        "verdict": verdict,
        "reason": reason,
        "why": why,
        "score": score,
        "defect_class": class_seen(record.regions),
    }
    if found is None:
        who = {"organisation_id": record.organisation_id, "serial": record.part, "trial": record.trial}
        connection.execute(parts.insert(), {"id": part_id, **who, **summary})
    else:
        # What was decided, was decided of another frame.
        connection.execute(_UPDATE_PART, summary | {"part": part_id, "decision": None, "review": "unreviewed"})
    connection.execute(frames.insert(), {name: getattr(record, name) for name in _COLUMNS})
    if key is not None:
        connection.execute(
            idempotency_keys.insert(),
            {
                "organisation_id": record.organisation_id,
                "line": record.line,
                "key": key,
                "frame_id": record.id,
                "created_at": record.received_at,
            },
        )
    return record


def class_seen(regions: list[dict[str, Any]]) -> str | None:
    """The class of the strongest region that the model gave one."""
    return next((region["defect_class"] for region in regions if region.get("defect_class")), None)


def _standing(seen: Sequence[Any], expected: ExpectedViews | None) -> _Standing:
    """The part's verdict, its reason (in words, and as code and values) and score: the worst among the newest frame
    of each view, `seen`.

    A part that lacks a view, or whose views lie too far apart in time to be of one passage, has no verdict, unless
    what was seen of it is worse. It is told from the rows alone, so that a restart between two views loses nothing.
    """
    score = max((frame.score for frame in seen if frame.score is not None), default=None)
    standings = [(frame.verdict, frame.reason, frame.why) for frame in seen]
    if expected is not None:
        times = {frame.view: frame.received_at for frame in seen}
        if missing := [view for view in expected.views if view not in times]:
            standings.append(_unseen(Reason("view_missing", views=", ".join(missing))))
        else:
            wanted = [times[view] for view in expected.views]
            apart_ms = (max(wanted) - min(wanted)).total_seconds() * 1000
            if apart_ms > expected.within_ms:
                late = max(expected.views, key=lambda view: times[view])
                standings.append(_unseen(Reason("view_late", view=late, ms=round(apart_ms))))
    verdict, reason, why = min(standings, key=lambda standing: SEVERITY.index(standing[0]))
    return verdict, reason, why, score


def _unseen(reason: Reason) -> tuple[str, str, dict[str, Any]]:
    return "no_verdict", str(reason), reason.to_json()


def _frames() -> sa.Select[Any]:
    """Frames with how their part stands now."""
    standing = (
        parts.c.verdict.label("part_verdict"),
        parts.c.reason.label("part_reason"),
        parts.c.why.label("part_why"),
    )
    return sa.select(frames, *standing).join(parts, parts.c.id == frames.c.part_id)


def frame_by_key(connection: Connection, organisation: str, line: str, key: str) -> FrameRecord | None:
    query = sa.select(idempotency_keys.c.frame_id).where(
        idempotency_keys.c.organisation_id == organisation,
        idempotency_keys.c.line == line,
        idempotency_keys.c.key == key,
    )
    found = connection.execute(query).scalar()
    return None if found is None else frame_by_id(connection, organisation, found)


def frame_by_id(connection: Connection, organisation: str, frame_id: str) -> FrameRecord | None:
    query = _frames().where(frames.c.organisation_id == organisation, frames.c.id == frame_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else _record(row)


def frames_of_part(connection: Connection, organisation: str, part_id: str, limit: int = 64) -> list[FrameRecord]:
    """Newest first."""
    query = (
        _frames()
        .where(frames.c.organisation_id == organisation, frames.c.part_id == part_id)
        .order_by(frames.c.seq.desc())
        .limit(limit)
    )
    return [_record(row) for row in connection.execute(query).mappings()]


def worst_frames(connection: Connection, organisation: str, part_ids: list[str]) -> dict[str, FrameRecord]:
    """Part to the worst of its views' newest frames: the one to look at first."""
    newest = sa.select(sa.func.max(frames.c.seq)).where(frames.c.part_id.in_(part_ids))
    newest = newest.group_by(frames.c.part_id, frames.c.view)
    query = _frames().where(frames.c.organisation_id == organisation, frames.c.seq.in_(newest))
    found: dict[str, FrameRecord] = {}
    for record in sorted((_record(row) for row in connection.execute(query).mappings()), key=how_bad, reverse=True):
        found[record.part_id] = record
    return found


def how_bad(record: FrameRecord) -> tuple[int, float, int]:
    """Sorts frames, the worst first; of equals the one with the higher score, then the newer."""
    return SEVERITY.index(record.verdict), -(record.score or 0.0), -record.seq


def frames_after(
    connection: Connection, organisation: str, seq: int, line: str | None = None, limit: int = 200
) -> list[FrameRecord]:
    """Frames stored after `seq`, oldest first: what a live listener has not had yet."""
    query = _frames().where(frames.c.organisation_id == organisation, frames.c.seq > seq)
    if line is not None:
        query = query.where(frames.c.line == line)
    return [_record(row) for row in connection.execute(query.order_by(frames.c.seq).limit(limit)).mappings()]


def newest_seq(connection: Connection) -> int:
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(frames.c.seq), 0))).scalar_one())


def _record(row: RowMapping) -> FrameRecord:
    return FrameRecord(**row)
