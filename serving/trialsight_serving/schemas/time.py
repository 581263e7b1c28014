"""Times as callers give them: ISO 8601 text. A number would pass for seconds since 1970, which nobody means."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator


def _iso(value: Any) -> Any:
    if value is not None and not (isinstance(value, str) and value[4:5] == "-"):
        raise ValueError("an ISO 8601 time is expected, like 2026-11-24T08:30:00Z")
    return value


Time = Annotated[datetime, BeforeValidator(_iso)]
ZonedTime = Annotated[AwareDatetime, BeforeValidator(_iso)]
