"""`/v1/lines/{line}/cameras/{view}` and `/v1/cameras`: how the cameras' agents are."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.engine import Connection

from trialsight_serving.deps import AnyoneDep, CameraDep, ServiceDep
from trialsight_serving.openapi.errors import problems
from trialsight_serving.problems import not_found
from trialsight_serving.routes.frames import LineName
from trialsight_serving.schemas.number import AS_JSON, Count
from trialsight_serving.schemas.time import ZonedTime
from trialsight_serving.store.cameras import CameraRecord, Fault, list_cameras, put_camera
from trialsight_serving.store.lines import list_lines

router = APIRouter(prefix="/v1", tags=["cameras"])
ViewName = Annotated[str, Path(min_length=1, max_length=64, examples=["default"])]
_DAY_MS = 86_400_000.0
_Offset = Annotated[float, Field(ge=-1e5 * _DAY_MS, le=1e5 * _DAY_MS, allow_inf_nan=False), AS_JSON]
_Span = Annotated[float, Field(ge=0, le=_DAY_MS, allow_inf_nan=False), AS_JSON]
_PROBLEMS = problems({404: "No such line"})


class CameraIn(BaseModel):
    """What an agent says of itself. `offset_ms`: by how much its clock is ahead, measured with the report before."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "offset_ms": 12.5,
                    "round_trip_ms": 3.1,
                    "waiting_frames": 2,
                    "waiting_bytes": 410_000,
                    "lost": 0,
                    "last_frame_at": "2026-11-24T08:30:00Z",
                    "source": "rtsp://camera-1/stream",
                }
            ]
        },
    )
    offset_ms: _Offset | None = None
    round_trip_ms: _Span | None = None
    waiting_frames: Count
    waiting_bytes: Count
    lost: Count
    last_frame_at: ZonedTime | None = None
    source: str = Field(default="", max_length=200)


class TimeOut(BaseModel):
    """The service's time, by which an agent measures its clock's offset: its own time halfway, less this."""

    now: datetime


class CameraOut(BaseModel):
    """`offset_ms`: how far its clock is ahead of the service's, to within half of `round_trip_ms`. `lost`: frames that
    made room for newer ones. `faults`: `silent` for a minute, `clock` off by a second, frames `lost` of late."""

    model_config = ConfigDict(from_attributes=True)
    line: str
    view: str
    reported_at: datetime
    offset_ms: float | None
    round_trip_ms: float | None
    waiting_frames: int
    waiting_bytes: int
    lost: int
    last_frame_at: datetime | None
    source: str = Field(examples=["rtsp://camera-1/stream"])
    faults: list[Fault]

    @classmethod
    def of(cls, record: CameraRecord, now: datetime) -> "CameraOut":
        values = {name: getattr(record, name) for name in cls.model_fields if name != "faults"}
        return cls.model_validate({**values, "faults": record.faults(now)})


@router.put("/lines/{line}/cameras/{view}", response_model=TimeOut, responses=_PROBLEMS)
def put_report(line: LineName, view: ViewName, said: CameraIn, service: ServiceDep, who: CameraDep) -> TimeOut:
    """An agent's report of its own health; the answer tells it the time."""
    now = datetime.now(UTC)
    record = CameraRecord(organisation_id=who.organisation, line=line, view=view, reported_at=now, **said.model_dump())

    def store(connection: Connection) -> bool:
        if all(one.name != line for one in list_lines(connection, who.organisation)):
            return False
        put_camera(connection, record)
        return True

    if not service.writer.transact(store):
        raise not_found("line", line)
    return TimeOut(now=now)


@router.get("/cameras", response_model=list[CameraOut])
def get_cameras(service: ServiceDep, who: AnyoneDep) -> list[CameraOut]:
    """Every camera whose agent ever reported, by line and view."""
    now = datetime.now(UTC)
    with service.database.read() as connection:
        found = list_cameras(connection, who.organisation)
    return [CameraOut.of(record, now) for record in found if who.may_use(record.line)]
