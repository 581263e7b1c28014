"""Usage and quotas over the wire."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from trialsight_serving.schemas.number import Count


class QuotaIn(BaseModel):
    """The whole quota: what is null or left out has no limit."""

    model_config = ConfigDict(
        extra="forbid",
        from_attributes=True,
        json_schema_extra={
            "examples": [{"frames_per_day": 20_000, "frames_per_month": None, "stored_bytes": 200_000_000_000}]
        },
    )
    frames_per_day: Count | None = None
    frames_per_month: Count | None = None
    stored_bytes: Count | None = None


class DayOut(BaseModel):
    """`bytes` came, `removed_bytes` were deleted."""

    model_config = ConfigDict(from_attributes=True)
    day: date
    frames: int
    bytes: int
    removed_bytes: int


class UsageOut(BaseModel):
    """Days and months are UTC's. `stored_bytes`: of all that is stored, as docs/operation.md has it."""

    organisation: str
    frames_today: int
    frames_this_month: int
    stored_bytes: int
    quota: QuotaIn
    next_day_at: datetime
    next_month_at: datetime
    days: list[DayOut] = Field(description="Newest first; days without frames are left out")
