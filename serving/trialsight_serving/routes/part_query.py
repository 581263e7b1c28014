"""The filter of the parts list as it stands in a URL: the same for the API and for the viewer's pages."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import Query
from pydantic import BaseModel, Field, field_validator

from trialsight.verdict import Verdict
from trialsight_serving.access.principal import Principal
from trialsight_serving.problems import Problem
from trialsight_serving.schemas.time import Time
from trialsight_serving.store.parts import PartFilter, Place, Sort


def _or_empty(schema: dict[str, Any]) -> None:
    schema["anyOf"].append({"const": ""})


class PartQuery(BaseModel):
    """A form sends empty fields; they mean any. `review=mine`: parts that the asker decided about."""

    line: str | None = Field(default=None, max_length=64)
    verdict: list[Verdict] = []
    trial: str | None = Field(default=None, max_length=64)
    view: str | None = Field(default=None, max_length=64)
    part: str | None = Field(default=None, max_length=128, description="The serial number")
    variant: str | None = Field(default=None, max_length=200)
    defect_class: str | None = Field(default=None, max_length=64)
    score_min: float | None = Field(default=None, allow_inf_nan=False, json_schema_extra=_or_empty)
    score_max: float | None = Field(default=None, allow_inf_nan=False, json_schema_extra=_or_empty)
    since: Time | None = Field(
        default=None, description="ISO 8601; UTC where it names no zone", json_schema_extra=_or_empty
    )
    until: Time | None = Field(default=None, json_schema_extra=_or_empty)
    review: Literal["unreviewed", "unsure", "disagreed", "decided", "mine"] | None = Field(
        default=None, json_schema_extra=_or_empty
    )
    audit: bool = Field(default=False, description="Only the random audit sample of passed parts")
    sort: Sort = Field(
        default="newest",
        description="`informative`: unreviewed parts near a threshold or unlike what was reviewed; one page",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_any(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("since", "until")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        return value if value is None or value.tzinfo is not None else value.replace(tzinfo=UTC)

    def filter(self, who: Principal, audit_rate: float) -> PartFilter:
        """`audit_rate`: the chance with which a passed part is in the audit sample."""
        given = self.model_dump(exclude={"part", "verdict", "review", "audit"})
        mine = self.review == "mine"
        return PartFilter(
            **given,
            serial=self.part,
            verdict=tuple(verdict.value for verdict in dict.fromkeys(self.verdict)),
            review=None if mine else self.review,
            decided_by=who.name if mine else None,
            audit_rate=audit_rate if self.audit else None,
        )

    def place(self, after: str | None) -> Place | None:
        """Raises Problem 422 for a cursor that this list never gave."""
        try:
            return None if not after else Place.parse(after, self.sort)
        except ValueError as error:
            raise Problem(422, "request-invalid", "The request is not valid", f"after: {error}") from None

    def suffix(self, **more: str | None) -> str:
        """`?…`, or nothing where nothing is asked: what keeps the filter from page to page."""
        given = self.model_dump(mode="json", exclude_defaults=True) | more
        pairs = {name: value for name, value in given.items() if value is not None}
        return f"?{urlencode(pairs, doseq=True)}" if pairs else ""


PartQueryDep = Annotated[PartQuery, Query()]
