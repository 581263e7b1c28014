"""What the HTTP API says of a line's drift."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from trialsight_serving.drift.cause import Cause
from trialsight_serving.drift.measures import Group

_EXAMPLE: dict[str, JsonValue] = {"measure": "brightness", "group": "light", "before": -1.13, "now": -1.24}
_EXAMPLE |= {"effect": -2.7, "p": 3e-31, "adjusted": 3e-30, "outside": 1.0, "drifted": True}


class FindingOut(BaseModel):
    """`before`, `now`: medians of the reference and of the newest frames, or shares. `effect`: the change in units of
    what matters. `adjusted`: p, corrected for all measures of the look. `index`: the population stability index."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    measure: str
    group: Group
    before: float
    now: float
    effect: float
    p: float
    adjusted: float
    outside: float
    index: float | None = None
    drifted: bool


class AlarmOut(BaseModel):
    """`ended_by`: who ended it by making a new reference; null where the cause went away. `proposal`: a command that
    would take in what has changed; a person decides."""

    id: str = Field(examples=["0198f2c4a1b27c3d8e9f0a1b2c3d4e5f"])
    line: str = Field(examples=["L1"])
    view: str = Field(examples=["default"])
    recipe: str = Field(examples=["bracket"])
    version: str = Field(examples=["4"])
    cause: Cause
    moved: list[FindingOut]
    opened_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    ended_by: str | None = Field(examples=[None])
    acknowledged_by: str | None = Field(examples=["wang"])
    acknowledged_at: datetime | None
    note: str = Field(examples=["lamp ordered"])
    proposal: str | None = Field(examples=["trialsight retrain bracket"])


class LookOut(BaseModel):
    """`values`: each measure's median, or share; `effects`: how far it had moved, in units of what matters."""

    seq: int
    at: datetime
    values: dict[str, float] = Field(examples=[{"brightness": -1.13, "sharpness": -2.3}])
    effects: dict[str, float] = Field(examples=[{"brightness": -2.7, "sharpness": 0.1}])


class WatchedOut(BaseModel):
    """One camera of the line. `frames`: how many the reference holds so far, of `needed`. `looks`: the newest, oldest
    first. `findings`: of the newest look. `reference_frame`: one that is still kept of the reference."""

    view: str = Field(examples=["default"])
    recipe: str = Field(examples=["bracket"])
    version: str = Field(examples=["4"])
    since: datetime
    made_by: str = Field(examples=["service"])
    frames: int
    needed: int
    reference_frame: str | None = Field(examples=["0198f2c4a1b27c3d8e9f0a1b2c3d4e5f"])
    newest_frame: str | None = Field(examples=["0198f2c4a1b27c3d8e9f0a1b2c3d4e60"])
    findings: list[FindingOut]
    looks: list[LookOut]


class DriftOut(BaseModel):
    """`false_alarms_a_month`: the chance of any alarm in a month in which nothing drifts, of one camera."""

    line: str = Field(examples=["L1"])
    window: int
    false_alarms_a_month: float
    watched: list[WatchedOut]
    alarms: list[AlarmOut]


class AcknowledgeIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"note": "lamp ordered"}]})
    note: str = Field(default="", max_length=1000)


class ReferenceIn(BaseModel):
    """`reason`: why what the line shows from now on is what it should show."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "new lamp mounted"}]})
    view: str = Field(default="default", max_length=64)
    reason: str = Field(min_length=1, max_length=1000)
