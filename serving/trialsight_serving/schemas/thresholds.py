"""What `/v1/recipes/{name}/thresholds` and `/scores` say and take."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trialsight.recipe import Costs
from trialsight_serving.schemas.number import Number


class Cuts(BaseModel):
    t1: float
    t2: float


class ChosenOut(BaseModel):
    """Thresholds that somebody saved. `version`: the recipe's. `t1` and `t2` null: back to those of the calibration."""

    version: str
    saved_by: str
    saved_at: datetime
    t1: float | None
    t2: float | None
    reason: str


class ThresholdsOut(BaseModel):
    """`thresholds` give the verdicts now, `calibrated` are those of the model's own calibration, both in the scores of
    the graph `variant` that runs. `based_on`: the recipe's version, null where none was saved yet. `history`: newest
    first, of this model's version."""

    recipe: str
    model_version: str
    variant: str
    thresholds: Cuts
    calibrated: Cuts
    promise: str
    costs: Costs | None
    based_on: str | None
    history: list[ChosenOut]


class ThresholdsIn(BaseModel):
    """`t1` and `t2` left out: back to those of the calibration. `model_version` and `based_on` as they were shown: what
    somebody else changed since is not overwritten. `costs` left out stay as they are."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"model_version": "3", "t1": 21.5, "t2": 30.2, "reason": "less overkill", "based_on": None}]
        },
    )
    model_version: str = Field(pattern=r"^[0-9]{1,9}$")
    based_on: str | None = Field(pattern=r"^[0-9a-f]{64}$")
    reason: str = Field(min_length=1, max_length=1000)
    t1: Number | None = None
    t2: Number | None = None
    costs: Costs | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "ThresholdsIn":
        if (self.t1 is None) != (self.t2 is None):
            raise ValueError("t1 and t2 go together: give both or neither")
        if self.t1 is not None and self.t2 is not None and self.t1 > self.t2:
            raise ValueError(f"t1 ({self.t1}) lies above t2 ({self.t2})")
        return self


class ScoresOut(BaseModel):
    """One score a part, ascending, as far as it was given by this version: of parts that people found good, found
    defective, and have not settled. `whole`: false where older parts are left out."""

    recipe: str
    model_version: str
    good: list[float]
    defective: list[float]
    undecided: list[float]
    whole: bool
