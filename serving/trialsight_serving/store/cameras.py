"""Camera agents: what each said last of its clock, its buffer and its frames. A row a camera, no history."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store.tables import cameras

SILENT_AFTER_S = 60.0  # agents report every ten seconds
CLOCK_OFF_MS = 1000.0
Fault = Literal["silent", "clock", "lost"]


@dataclass(frozen=True)
class CameraRecord:
    """`offset_ms`: how far the camera's clock is ahead of the service's, to within half of `round_trip_ms`; None in an
    agent's first report. `waiting_*`: what its buffer holds. `lost`: frames that made room for newer ones since the
    buffer was made; `lost_before`: at the report before. `reported_at`: by the service's clock, `last_frame_at` by the
    camera's."""

    organisation_id: str
    line: str
    view: str
    reported_at: datetime
    offset_ms: float | None
    round_trip_ms: float | None
    waiting_frames: int
    waiting_bytes: int
    lost: int
    last_frame_at: datetime | None
    source: str
    lost_before: int = 0

    def faults(self, now: datetime) -> list[Fault]:
        """What somebody should look at: no report for a minute, a clock off by a second, frames lost of late."""
        found: list[Fault] = []
        if now - self.reported_at > timedelta(seconds=SILENT_AFTER_S):
            found.append("silent")
        if self.offset_ms is not None and abs(self.offset_ms) > CLOCK_OFF_MS + (self.round_trip_ms or 0.0) / 2:
            found.append("clock")
        if self.lost > self.lost_before:
            found.append("lost")
        return found


def put_camera(connection: Connection, record: CameraRecord) -> None:
    mine = _key(record.organisation_id, record.line, record.view)
    before = connection.execute(sa.select(cameras.c.lost).where(mine)).scalar()
    if before is None:
        connection.execute(cameras.insert(), asdict(record) | {"lost_before": record.lost})
    else:
        connection.execute(cameras.update().where(mine), asdict(record) | {"lost_before": before})


def list_cameras(connection: Connection, organisation: str) -> list[CameraRecord]:
    query = sa.select(cameras).where(cameras.c.organisation_id == organisation)
    return [
        CameraRecord(**row) for row in connection.execute(query.order_by(cameras.c.line, cameras.c.view)).mappings()
    ]


def _key(organisation: str, line: str, view: str) -> sa.ColumnElement[bool]:
    return sa.and_(cameras.c.organisation_id == organisation, cameras.c.line == line, cameras.c.view == view)
