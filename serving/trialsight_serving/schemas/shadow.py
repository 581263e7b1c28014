"""What a challenger's run in the champion's shadow showed."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from trialsight.verdict import Verdict
from trialsight_serving.store.evidence.shadows import Evidence, ShadowRecord

EVIDENCE: JsonDict = {
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


class HitsOut(BaseModel):
    """On parts that people have decided: right, overkill (a good part stopped), escape (a defect passed)."""

    right: int
    overkill: int
    escape: int


class EvidenceOut(BaseModel):
    """How a challenger compares with a champion on frames that both have seen. `changes`: 'champion's verdict ->
    challenger's verdict' to frames. `reviewed`: frames whose truth people settled. `mean_ms`: the challenger's time."""

    model_config = ConfigDict(json_schema_extra={"examples": [EVIDENCE]})
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
