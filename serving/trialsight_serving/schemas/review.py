"""What goes over the wire of a review: decisions, defect classes, masks and the labels that come of them."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from trialsight_serving.store.review.standing import DecisionRecord


class DecisionKind(StrEnum):
    """confirm: the verdict is right. overrule_good: a good part was flagged (overkill). missed_defect: a defect was
    passed (escape). unsure: someone else should look. undo: an earlier decision is taken back."""

    CONFIRM = "confirm"
    OVERRULE_GOOD = "overrule_good"
    MISSED_DEFECT = "missed_defect"
    UNSURE = "unsure"
    UNDO = "undo"


class ReviewState(StrEnum):
    """unreviewed: nobody decided. unsure: a second reviewer is asked for. disagreed: two differ, a third is asked for.
    decided: settled."""

    UNREVIEWED = "unreviewed"
    UNSURE = "unsure"
    DISAGREED = "disagreed"
    DECIDED = "decided"


Key = Field(
    default=None, min_length=8, max_length=64, pattern=r"^[\w.-]+$", description="Made by the sender; stored once"
)
_Class = Field(default=None, min_length=1, max_length=64, description="A name of /v1/defect-classes")
_Undoes = Field(default=None, min_length=1, max_length=100, description="For `undo`: the `key` of what is taken back")


class DecisionIn(BaseModel):
    """`frame_id`: the part's newest frame when it was looked at; a part that was inspected again since then waits for a
    decision about that. `key`: the same decision sent again, after a lost answer say, is stored once."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"decision": "overrule_good", "note": "a reflection", "key": "9f2c61d0b7"}]},
    )
    decision: DecisionKind
    note: str = Field(default="", max_length=2000)
    defect_class: str | None = _Class
    frame_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    key: str | None = Key
    undoes: str | None = _Undoes


class DecisionOut(BaseModel):
    """`bulk`: shared by what was decided together."""

    id: int = Field(examples=[12])
    part_id: str
    frame_id: str
    decision: DecisionKind
    note: str
    decided_by: str
    decided_at: datetime
    key: str
    defect_class: str | None
    bulk: str | None
    undoes: str | None

    @classmethod
    def of(cls, record: DecisionRecord) -> "DecisionOut":
        return cls.model_validate(record, from_attributes=True)


class SelectedPart(BaseModel):
    model_config = ConfigDict(extra="forbid")
    part_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    frame_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")


class BulkIn(BaseModel):
    """One decision for many parts. Each part's own event gets the key `{key}.{part_id}`; to undo them all, send the
    same parts with `undo` and `undoes` = the key of that bulk."""

    model_config = ConfigDict(extra="forbid")
    key: str = Field(min_length=8, max_length=64, pattern=r"^[\w.-]+$")
    parts: list[SelectedPart] = Field(min_length=1, max_length=500)
    decision: DecisionKind
    note: str = Field(default="", max_length=2000)
    defect_class: str | None = _Class
    undoes: str | None = _Undoes


class RefusedPart(BaseModel):
    part_id: str
    problem: str = Field(examples=["there is no part 5f0f7a3c1d2e4b6a8c9d0e1f2a3b4c5d"])


class BulkOut(BaseModel):
    """`refused`: parts for which nothing was stored, and why; the others were, in one transaction."""

    bulk: str
    stored: int
    refused: list[RefusedPart]


class MaskOut(BaseModel):
    frame_id: str
    mask_url: str
    sha256: str
    area_px: int
    drawn_by: str
    drawn_at: datetime


class FrameLabel(BaseModel):
    """`mask`: None where nobody drew one."""

    frame_id: str
    view: str
    image_url: str
    width_px: int
    height_px: int
    mask: MaskOut | None


class LabelsOut(BaseModel):
    """What people made of a part, as training wants it. `outcome` is null while it is open (nobody decided, somebody is
    unsure, two disagree) and `unknown` where nothing could be seen. Frames: the newest of each view."""

    part_id: str
    part: str
    review: ReviewState
    outcome: Literal["good", "defect", "unknown"] | None
    defect_class: str | None
    frames: list[FrameLabel]
