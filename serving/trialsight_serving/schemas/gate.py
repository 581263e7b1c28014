"""What the gate asked of a promotion, as the API says it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from trialsight_serving.models.gate import Condition, Gate, remedy, said
from trialsight_serving.store.evidence.promotions import PromotionRecord


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
