"""What goes over the wire, version 1. Field names are those of the design's contract and of the core."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from trialsight.regions import Region
from trialsight.verdict import Thresholds, Verdict
from trialsight_serving.schemas.review import DecisionKind, DecisionOut, ReviewState
from trialsight_serving.store.frames import FrameRecord
from trialsight_serving.store.parts import PartRecord
from trialsight_serving.store.recipes import RecipeRecord

_FRAME: JsonDict = {
    "id": "0b8f2d3c9f6e4a61b3c5f1a2d4e6f708",
    "part": "P-1",
    "part_id": "5f0f7a3c1d2e4b6a8c9d0e1f2a3b4c5d",
    "verdict": "reject",
    "reason": "score 41.2 > t2 28.7",
    "why": {"code": "score_above", "values": {"score": 41.2, "t2": 28.7}},
    "rule": "score",
    "score": 41.2,
    "thresholds": {"t1": 24.1, "t2": 28.7, "region": 28.7},
    "regions": [
        {
            "contour": [[120.5, 80.5], [140.5, 80.5], [140.5, 96.5]],
            "box_px": [120.0, 80.0, 24.0, 16.0],
            "center_px": [132.0, 88.0],
            "area_px": 320.0,
            "length_px": 24.0,
            "width_px": 16.0,
            "angle_deg": 12.0,
            "peak": 41.2,
            "mean": 33.0,
            "area_mm2": 0.8,
            "length_mm": 1.2,
            "width_mm": 0.8,
            "center_mm": [6.6, 4.4],
            "defect_class": "scratch",
        }
    ],
    "map_url": "/v1/frames/0b8f2d3c9f6e4a61b3c5f1a2d4e6f708/map",
    "image_url": "/v1/frames/0b8f2d3c9f6e4a61b3c5f1a2d4e6f708/image",
    "model": {"recipe": "bracket", "version": "3", "graph_sha256": "9f86d081884c7d65…"},
    "recipe": "bracket",
    "timings_ms": {
        "read": 0.4,
        "decode": 2.4,
        "queue": 0.1,
        "infer": 12.2,
        "post": 0.9,
        "store": 4.1,
    },
    "line": "L1",
    "view": "default",
    "trial": "T7",
    "variant": "A",
    "captured_at": "2026-11-23T08:29:59.900000Z",
    "received_at": "2026-11-23T08:30:00.123456Z",
    "width_px": 640,
    "height_px": 480,
    "is_partial": False,
    "process": {},
    "part_verdict": "reject",
    "part_reason": "score 41.2 > t2 28.7",
    "part_why": {"code": "score_above", "values": {"score": 41.2, "t2": 28.7}},
}


class ProblemOut(BaseModel):
    """RFC 9457. `remedy`: what to do about it."""

    type: str = Field(examples=["urn:trialsight:problem:frame-undecodable"])
    title: str = Field(examples=["The frame can't be decoded"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["the JPEG is cut short: its end marker is missing"])
    instance: str = Field(examples=["/v1/lines/L1/frames"])
    remedy: str = Field(examples=["send it again"])


class ModelRef(BaseModel):
    model_config = ConfigDict(protected_namespaces=())
    recipe: str
    version: str
    graph_sha256: str


class TimingsOut(BaseModel):
    """Milliseconds. A stage that did not run is null; `store` is null when read back, since it ends after the row."""

    read: float | None = None
    decode: float | None = None
    queue: float | None = None
    infer: float | None = None
    post: float | None = None
    store: float | None = None


class WhyOut(BaseModel):
    """`code`: one of `trialsight.reason.REASONS`; it stays what it is. `values`: what the text is made of."""

    code: str
    values: dict[str, str | int | float]


class FrameOut(BaseModel):
    """One frame's result."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FRAME]})

    id: str
    part: str
    part_id: str
    verdict: Verdict
    reason: str | None
    why: WhyOut | None = Field(description="`reason` as a code with its values, for other languages; null for a pass")
    rule: str | None = Field(description="The rule that decided; `score` for the thresholds")
    score: float | None
    thresholds: Thresholds
    regions: list[Region]
    map_url: str | None
    image_url: str
    model: ModelRef
    recipe: str
    timings_ms: TimingsOut
    line: str
    view: str
    trial: str | None
    variant: str
    captured_at: datetime | None
    received_at: datetime
    width_px: int
    height_px: int
    is_partial: bool
    process: dict[str, Any]
    part_verdict: Verdict | None = Field(description="The worst of the part's views; no_verdict while one is missing")
    part_reason: str | None
    part_why: WhyOut | None

    @classmethod
    def of(cls, record: FrameRecord) -> "FrameOut":
        return cls.model_validate(
            {
                **{name: getattr(record, name) for name in cls.model_fields if hasattr(record, name)},
                "trial": record.trial or None,
                "map_url": None if record.map_sha256 is None else f"/v1/frames/{record.id}/map",
                "image_url": f"/v1/frames/{record.id}/image",
                "model": {
                    "recipe": record.recipe,
                    "version": record.model_version,
                    "graph_sha256": record.graph_sha256,
                },
            }
        )


class PartOut(BaseModel):
    """`verdict`, `reason` and `score`: the worst over the newest frame of each view, `no_verdict` while a view that
    the line wants is missing. `decision`: the one that holds, if any. `defect_class`: by a person, else by the model.
    `review`: how far people are with it."""

    id: str
    part: str
    trial: str | None
    line: str
    variant: str
    verdict: Verdict
    reason: str | None
    score: float | None
    decision: DecisionKind | None
    review: ReviewState
    defect_class: str | None
    hold: str | None = Field(description="Why it is kept whatever its age; null where it is not held")
    last_frame_id: str
    last_at: datetime

    @classmethod
    def of(cls, record: PartRecord) -> "PartOut":
        values = {name: getattr(record, name) for name in cls.model_fields if hasattr(record, name)}
        return cls.model_validate({**values, "part": record.serial, "trial": record.trial or None})


class PartPage(BaseModel):
    """`next`: the cursor for older parts; null on the last page."""

    parts: list[PartOut]
    next: str | None


class PartDetail(PartOut):
    """Frames newest first; decisions oldest first."""

    frames: list[FrameOut]
    decisions: list[DecisionOut]


class LineOut(BaseModel):
    """`model`: the version that gives verdicts now, null while there is none or where each view has its own.
    `views`: the recipe of each view that a part must be seen from."""

    name: str
    recipe: str | None
    views: dict[str, str]
    model: ModelRef | None
    depth: int = Field(description="Frames admitted and not yet answered")


class RecipeOut(BaseModel):
    """`version`: sha256 of what it says. `content`: what PUT takes."""

    name: str
    version: str
    content: dict[str, Any]
    saved_by: str
    saved_at: datetime

    @classmethod
    def of(cls, record: RecipeRecord) -> "RecipeOut":
        return cls(
            name=record.name,
            version=record.sha256,
            content=record.content,
            saved_by=record.saved_by,
            saved_at=record.saved_at,
        )


class ReadyOut(BaseModel):
    ready: bool = Field(examples=[False])
    reason: str | None = Field(examples=["no champion is live; promote one: trialsight promote RECIPE VERSION"])
