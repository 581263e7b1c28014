"""What the service said against a request, and how long it asks to wait."""

import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from trialsight.errors import TrialsightError


class ServiceError(TrialsightError):
    """The service answered with a problem, or did not answer. `status` is None where it did not; `kind`: RFC 9457's
    type, `urn:trialsight:problem:…`."""

    def __init__(self, problem: str, remedy: str = "", status: int | None = None, kind: str = "") -> None:
        super().__init__(problem, remedy)
        self.status, self.kind = status, kind


def away(url: str, error: httpx.TransportError) -> ServiceError:
    return ServiceError(f"{url} does not answer: {error or type(error).__name__}", "is it running?")


def problem_of(response: httpx.Response) -> ServiceError:
    try:
        body: dict[str, Any] = response.json()
        detail, remedy, kind = str(body["detail"]), str(body.get("remedy", "")), str(body.get("type", ""))
    except (ValueError, KeyError, TypeError):
        detail, remedy, kind = response.reason_phrase, "is this a Trialsight service?", ""
    return ServiceError(f"{response.status_code}: {detail}", remedy, response.status_code, kind)


def retry_after_s(response: httpx.Response) -> float:
    """Milliseconds from the body where they are given, else Retry-After: seconds or a date (RFC 9110, 10.2.3)."""
    try:
        return max(0.0, float(response.json()["retry_after_ms"]) / 1000)
    except (ValueError, KeyError, TypeError):
        header = response.headers.get("retry-after", "")
    if header.isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return 0.0
