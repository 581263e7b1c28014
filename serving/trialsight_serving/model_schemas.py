"""What `/v1/models` says and takes."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from trialsight.verdict import Thresholds, Verdict
from trialsight_serving.models.gate import Condition, Gate, remedy, said
from trialsight_serving.store.promotions import PromotionRecord
from trialsight_serving.store.shadows import Evidence, ShadowRecord

_THRESHOLDS: JsonDict = {"t1": 24.1, "t2": 28.7, "region": 28.7}
_MODEL: JsonDict = {
    "recipe": "bracket",
    "version": "3",
    "previous": "2",
    "challenger": "4",
    "graph_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "activated_at": "2026-11-23T08:30:00Z",
    "detector": {"name": "patch_memory", "backbone": "shipped"},
    "thresholds": _THRESHOLDS,
    "metrics": {"image_auroc": 0.991},
    "fault": None,
    "challenger_fault": None,
}
_GOLDEN: JsonDict = {
    "file": "good.png",
    "expected": "pass",
    "expected_score": 12.1,
    "verdict": "pass",
    "score": 12.1,
    "problem": None,
}
_EVIDENCE: JsonDict = {
    "recipe": "bracket",
    "champion": "3",
    "challenger": "4",
    "frames": 812,
    "agreed": 797,
    "changes": {"review -> pass": 12, "pass -> reject": 3},
    "reviewed": 30,
    "champion_hits": {"right": 21, "overkill": 9, "escape": 0},
    "challenger_hits": {"right": 28, "overkill": 2, "escape": 0},
    "mean_ms": 14.2,
}


class VersionState(StrEnum):
    """live: gives verdicts. previous: loaded, for a rollback. challenger: runs in the champion's shadow."""

    LIVE = "live"
    PREVIOUS = "previous"
    CHALLENGER = "challenger"


class ModelOut(BaseModel):
    """`version` gives verdicts. `previous`: what a rollback brings back. `fault`: why a newer champion could not be
    taken; the live version goes on. `challenger` runs in its shadow."""

    model_config = ConfigDict(json_schema_extra={"examples": [_MODEL]})
    recipe: str
    version: str | None
    previous: str | None
    challenger: str | None
    graph_sha256: str | None
    activated_at: datetime | None
    detector: dict[str, Any] | None
    thresholds: Thresholds | None
    metrics: dict[str, float | None] | None
    fault: str | None
    challenger_fault: str | None


class ModelsOut(BaseModel):
    """`registry_problem`: why MLflow can't be asked at present, null where all is well. `memory_bytes`: what loaded
    models take, about."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"models": [_MODEL], "registry_problem": None, "memory_bytes": 18_400_000}]}
    )
    models: list[ModelOut]
    registry_problem: str | None
    memory_bytes: int


class VersionOut(BaseModel):
    """A version in the registry. `state`: what the service does with it, null for none. `metrics`: its training's."""

    version: str
    created_at: datetime
    run_id: str | None
    metrics: dict[str, float]
    state: VersionState | None
    is_loaded: bool


class ModelDetail(BaseModel):
    """Versions newest first; empty with a `registry_problem` while MLflow is away. `promotion`: how the live version
    became champion, null where there is no record of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": _MODEL,
                    "versions": [
                        {
                            "version": "4",
                            "created_at": "2026-11-24T08:30:00Z",
                            "run_id": "b0a1",
                            "metrics": {"image_auroc": 0.994},
                            "state": "challenger",
                            "is_loaded": True,
                        }
                    ],
                    "promotion": None,
                    "registry_problem": None,
                }
            ]
        }
    )
    model: ModelOut
    versions: list[VersionOut]
    promotion: "PastPromotionOut | None"
    registry_problem: str | None


_Reason = Field(min_length=1, max_length=1000, description="Why; kept in the audit record")
_Version = Field(pattern=r"^[0-9]{1,9}$", examples=["4"])


class ConditionOut(BaseModel):
    """One line of the gate. `case`: what was found; `figures`: by which numbers; `said`: both in English. `remedy`:
    what to do where it does not hold."""

    name: str = Field(examples=["escapes"])
    case: str = Field(examples=["caught"])
    holds: bool
    figures: dict[str, Any] = Field(examples=[{"known": 3, "again": 0, "parts": ""}])
    said: str = Field(examples=["all 3 known escapes are caught"])
    remedy: str = Field(examples=[""])

    @classmethod
    def of(cls, condition: Condition) -> "ConditionOut":
        words = "" if condition.holds else remedy(condition)
        return cls(**condition.to_json(), said=said(condition), remedy=words)


class GateOut(BaseModel):
    """What the gate asks of a promotion: `golden` frames right, no known `escapes` passing again, the false-reject
    `promise` stated, the `comparison` with the champion not worse beyond the recipe's margin, a named `approver`."""

    recipe: str = Field(examples=["bracket"])
    version: str = Field(examples=["4"])
    champion: str | None = Field(examples=["3"])
    holds: bool
    conditions: list[ConditionOut]

    @classmethod
    def of(cls, gate: Gate) -> "GateOut":
        lines = [ConditionOut.of(one) for one in gate.conditions]
        return cls(recipe=gate.recipe, version=gate.version, champion=gate.champion, holds=gate.holds, conditions=lines)


def _condition(kept: dict[str, Any]) -> Condition:
    return Condition(kept["name"], kept["case"], kept["figures"])


class PastPromotionOut(BaseModel):
    """How the live version became champion: through which gate, and who answers for it."""

    version: str
    previous: str | None
    approver: str
    reason: str
    promoted_at: datetime
    conditions: list[ConditionOut]

    @classmethod
    def of(cls, record: PromotionRecord) -> "PastPromotionOut":
        values = {name: getattr(record, name) for name in cls.model_fields if name != "conditions"}
        return cls(**values, conditions=[ConditionOut.of(_condition(one)) for one in record.gate])


class PromoteIn(BaseModel):
    """`line`: bind this line to the recipe too; lines without a recipe are bound in any case. `approver`: who answers
    for it, where that is somebody else than whoever asks."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"version": "4", "reason": "fewer false rejects"}]}
    )
    version: str = _Version
    reason: str = _Reason
    line: str | None = Field(default=None, max_length=64)
    approver: str | None = Field(default=None, max_length=200)


class RollbackIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "rejects every other part"}]})
    reason: str = _Reason


class ChallengerIn(BaseModel):
    """`version` null ends the challenge."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"version": "4", "reason": "learned last week's decisions"}]}
    )
    version: str | None = Field(pattern=r"^[0-9]{1,9}$")
    reason: str = _Reason


class GoldenOut(BaseModel):
    """`problem`: null where the frame got what the card expects."""

    file: str
    expected: Verdict
    expected_score: float
    verdict: Verdict
    score: float | None
    problem: str | None


class HitsOut(BaseModel):
    """On parts that people have decided: right, overkill (a good part stopped), escape (a defect passed)."""

    right: int
    overkill: int
    escape: int


class EvidenceOut(BaseModel):
    """How a challenger compares with a champion on frames that both have seen. `changes`: 'champion's verdict ->
    challenger's verdict' to frames. `reviewed`: frames whose truth people settled. `mean_ms`: the challenger's time."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EVIDENCE]})
    recipe: str
    champion: str
    challenger: str
    frames: int
    agreed: int
    changes: dict[str, int]
    reviewed: int
    champion_hits: HitsOut
    challenger_hits: HitsOut
    mean_ms: float | None

    @classmethod
    def of(cls, evidence: Evidence) -> "EvidenceOut":
        return cls.model_validate(evidence, from_attributes=True)


class PromotionOut(BaseModel):
    """`version` is live now. `lines`: newly bound to the recipe. `golden`: how its golden frames went; `gate`: all that
    was asked, null for a rollback. `evidence`: what it said of live frames beside the champion before."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "recipe": "bracket",
                    "version": "4",
                    "previous": "3",
                    "lines": [],
                    "seconds": 0.4,
                    "golden": [_GOLDEN],
                    "gate": None,
                    "evidence": _EVIDENCE,
                }
            ]
        }
    )
    recipe: str
    version: str
    previous: str | None
    lines: list[str]
    seconds: float
    golden: list[GoldenOut]
    gate: GateOut | None
    evidence: EvidenceOut | None


class ChallengerOut(BaseModel):
    """`before`: the challenger that this one follows."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"recipe": "bracket", "champion": "3", "version": "4", "before": None}]},
    )
    recipe: str
    champion: str
    version: str | None
    before: str | None


class DisagreementOut(BaseModel):
    """A frame on which the two say different things."""

    id: int
    frame_id: str
    frame_url: str
    champion_verdict: Verdict
    verdict: Verdict
    reason: str | None
    champion_score: float | None
    score: float | None
    created_at: datetime

    @classmethod
    def of(cls, record: ShadowRecord) -> "DisagreementOut":
        values = {name: getattr(record, name) for name in cls.model_fields if hasattr(record, name)}
        return cls.model_validate({**values, "frame_url": f"/v1/frames/{record.frame_id}"})


class DisagreementPage(BaseModel):
    """Newest first. `next`: the cursor for older ones; null on the last page."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "disagreements": [
                        {
                            "id": 7,
                            "frame_id": "0b8f2d3c9f6e4a61b3c5f1a2d4e6f708",
                            "frame_url": "/v1/frames/0b8f2d3c9f6e4a61b3c5f1a2d4e6f708",
                            "champion_verdict": "review",
                            "verdict": "pass",
                            "reason": None,
                            "champion_score": 25.1,
                            "score": 18.0,
                            "created_at": "2026-11-24T09:30:00Z",
                        }
                    ],
                    "next": None,
                }
            ]
        }
    )
    disagreements: list[DisagreementOut]
    next: str | None
