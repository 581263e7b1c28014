"""Jobs over the wire."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from trialsight_serving.store.jobs import JobState


class JobOut(BaseModel):
    """`results`: of each finished step. Steps of a retraining: labels, set, train, compare, escapes, challenger,
    promote (only where the recipe says so)."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(examples=["0198f2c4a1b27c3d8e9f0a1b2c3d4e5f"])
    kind: str = Field(examples=["retrain"])
    recipe: str = Field(examples=["bracket"])
    state: JobState
    asked_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    step: str | None = Field(examples=["features"])
    progress: float | None = Field(ge=0, le=1, description="Of the step; null where it can't be counted")
    cancel_asked: bool
    attempts: int
    results: dict[str, Any]
    problem: str | None
