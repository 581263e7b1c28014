"""What `/v1/models` says and takes."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from trialsight.verdict import Thresholds, Verdict
from trialsight_serving.schemas.gate import GateOut, PastPromotionOut
from trialsight_serving.schemas.shadow import EVIDENCE, EvidenceOut

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
    promotion: PastPromotionOut | None
    registry_problem: str | None


_Reason = Field(min_length=1, max_length=1000, description="Why; kept in the audit record")
_Version = Field(pattern=r"^[0-9]{1,9}$", examples=["4"])


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
                    "evidence": EVIDENCE,
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
