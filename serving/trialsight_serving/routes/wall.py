"""`/v1/wall`: how each line is, for a screen on the factory floor; small enough to be asked for every second."""

from datetime import UTC, datetime
from enum import StrEnum
from itertools import takewhile
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from trialsight.verdict import Verdict
from trialsight_serving.deps import ReviewerDep, ServiceDep
from trialsight_serving.drift.cause import Cause
from trialsight_serving.shift import shift_start
from trialsight_serving.store.cameras import list_cameras
from trialsight_serving.store.drift import open_alarms
from trialsight_serving.store.parts import PartRecord
from trialsight_serving.store.wall import LineNow, lines_now

router = APIRouter(prefix="/v1", tags=["lines"])
RECENT, IN_A_ROW = 8, 3


class Alarm(StrEnum):
    """streak: rejects in a row. no_verdict: the newest part went by unseen. no_model: no model gives verdicts."""

    STREAK = "streak"
    NO_VERDICT = "no_verdict"
    NO_MODEL = "no_model"


class WallPart(BaseModel):
    """`age_s`: since its newest frame came, by the service's clock."""

    part_id: str
    frame_id: str
    serial: str
    verdict: Verdict
    score: float | None
    at: datetime
    age_s: float


class WallLine(BaseModel):
    """`parts`: newest first. `in_a_row`: rejects up to the newest part. `cameras`: faults of the line's cameras.
    `drift`: causes of its open alarms of drift."""

    line: str
    parts: list[WallPart]
    counts: dict[Verdict, int]
    in_a_row: int
    alarm: Alarm | None
    cameras: list[str]
    drift: list[Cause]


class WallOut(BaseModel):
    at: datetime
    shift_since: datetime
    lines: list[WallLine]


@router.get("/wall", response_model=WallOut)
def get_wall(
    service: ServiceDep,
    who: ReviewerDep,
    line: Annotated[list[str] | None, Query(description="Only these; else all", max_length=64)] = None,
) -> WallOut:
    """Newest parts, counts of the shift and alarms of each line."""
    now, settings, models = datetime.now(UTC), service.settings, service.tenants.of(who.organisation)
    since = shift_start(now, settings.shift_starts, settings.time_zone)
    known = models.lines()
    names = [name for name in known if who.may_use(name) and (not line or name in line)]
    live = {model.recipe for model in models.models()}
    with service.database.read() as connection:
        found = lines_now(connection, who.organisation, names, since.astimezone(UTC), RECENT)
        cameras = list_cameras(connection, who.organisation)
        alarms = open_alarms(connection, who.organisation)
    faults = {
        name: sorted({fault for one in cameras if one.line == name for fault in one.faults(now)}) for name in names
    }
    shown = []
    for one in found:
        record = known[one.line]
        bound = set(record.views.values()) or ({record.recipe} if record.recipe is not None else set())
        has_model = live >= bound if bound else len(live) == 1
        drift = sorted({Cause(alarm.cause) for alarm in alarms if alarm.line == one.line})
        shown.append(_line(one, now, has_model, [str(fault) for fault in faults[one.line]], drift))
    return WallOut(at=now, shift_since=since, lines=shown)


def _line(one: LineNow, now: datetime, has_model: bool, cameras: list[str], drift: list[Cause]) -> WallLine:
    in_a_row = len(list(takewhile(lambda part: part.verdict == Verdict.REJECT, one.recent)))
    alarm = None
    if not has_model:
        alarm = Alarm.NO_MODEL
    elif one.recent and one.recent[0].verdict == Verdict.NO_VERDICT:
        alarm = Alarm.NO_VERDICT
    elif in_a_row >= IN_A_ROW:
        alarm = Alarm.STREAK
    return WallLine(
        line=one.line,
        parts=[_part(part, now) for part in one.recent],
        counts={Verdict(verdict): count for verdict, count in one.counts.items()},
        in_a_row=in_a_row,
        alarm=alarm,
        cameras=cameras,
        drift=drift,
    )


def _part(part: PartRecord, now: datetime) -> WallPart:
    return WallPart(
        part_id=part.id,
        frame_id=part.last_frame_id,
        serial=part.serial,
        verdict=Verdict(part.verdict),
        score=part.score,
        at=part.last_at,
        age_s=round(max(0.0, (now - part.last_at).total_seconds()), 1),
    )
