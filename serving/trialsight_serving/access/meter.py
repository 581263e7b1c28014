"""The door of an organisation that has used up what it may: told before a frame is read."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from datetime import time as day_time
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from trialsight.errors import TrialsightError
from trialsight_serving.problems import Problem
from trialsight_serving.store.database import Database
from trialsight_serving.store.usage import QuotaError, Usage, all_usage, count_inspected, today, usage_of

if TYPE_CHECKING:
    from trialsight_serving.service import Service

log = structlog.get_logger(__name__)
_FRESH_S = 1.0


class Meter:
    """Knows each organisation's usage as of a second ago; the transaction that stores a frame looks exactly."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[float, Usage]] = {}

    async def used_up(self, organisation: str) -> Usage | None:
        """Where no more frame may come in. Waits for the store only the first time, on a new day and at a limit."""
        looked_at, usage = self._known.get(organisation, (0.0, None))
        stale = time.monotonic() - looked_at > _FRESH_S
        if usage is None or usage.day != today() or (stale and usage.over(1)):
            usage = await asyncio.to_thread(self._look, organisation)
        elif stale:
            self._known[organisation] = time.monotonic(), usage  # the others needn't look too
            asyncio.get_running_loop().run_in_executor(None, self._look, organisation)
        return usage if usage is not None and usage.over(1) else None

    def is_limited(self, organisation: str) -> bool:
        """Whether the store must look at each frame."""
        _, usage = self._known.get(organisation, (0.0, None))
        return usage is None or usage.quota.limits

    def everybody(self) -> list[Usage]:
        """For the metrics: as of now, or the last that is known where the store doesn't answer."""
        try:
            with self._database.read() as connection:
                found = all_usage(connection)
        except (SQLAlchemyError, OSError, TrialsightError) as error:
            log.warning("usage unknown", problem=str(error))
            return [usage for _, usage in self._known.values()]
        self._known = {usage.organisation: (time.monotonic(), usage) for usage in found}
        return found

    def _look(self, organisation: str) -> Usage | None:
        """None where the store doesn't answer: whether it takes the frame it will say itself."""
        try:
            with self._database.read() as connection:
                found = usage_of(connection, organisation)
        except (SQLAlchemyError, OSError, TrialsightError) as error:
            log.warning("usage unknown", organisation=organisation, problem=str(error))
            return None
        self._known[organisation] = time.monotonic(), found
        return found


async def check_frames(service: "Service", organisation: str) -> None:
    """Raises Problem 429 where no more frame may be looked at, though nothing of it would be stored."""
    used_up = await service.meter.used_up(organisation)
    if used_up is not None and (frames := used_up.storing_nothing()).over(1):
        raise quota_problem(frames, 1)


async def count_frames(service: "Service", organisation: str, frames: int) -> None:
    """Of which nothing is stored. Raises Problem: 429 beyond the quota, 503 where the store doesn't answer."""
    by, limited = service.results.counted_by, service.meter.is_limited(organisation)

    def work(connection: Connection) -> None:
        count_inspected(connection, organisation, by, frames, limited=limited)

    try:
        await asyncio.wrap_future(service.writer.submit(work))
    except QuotaError as error:
        raise quota_problem(error.usage) from error
    except (OSError, SQLAlchemyError, RuntimeError) as error:
        log.error("frames not counted", organisation=organisation, problem=str(error))
        detail = "the store does not count the frames; uncounted none is answered"
        again = {"Retry-After": "5"}
        raise Problem(503, "store-unavailable", "The frames can't be counted", detail, headers=again) from error


def next_day(usage: Usage) -> datetime:
    return datetime.combine(usage.day + timedelta(days=1), day_time(), UTC)


def next_month(usage: Usage) -> datetime:
    return datetime.combine((usage.day.replace(day=28) + timedelta(days=4)).replace(day=1), day_time(), UTC)


def quota_problem(usage: Usage, room_for: int = 0) -> Problem:
    """429 until the day or the month is over; 507 where the room is used up, since no waiting helps."""
    over, quota = usage.over(room_for), usage.quota
    remedy = "ask an administrator of the service for more: trialsight organisation quota"
    if "stored_bytes" in over:
        detail = f"{usage.organisation} stores {usage.stored_bytes} bytes and may store {quota.stored_bytes}"
        return Problem(507, "storage-quota", "The storage quota is used up", detail, f"{remedy}; or keep less")
    until, limit, period = next_day(usage), quota.frames_per_day, "day"
    if "frames_per_month" in over:
        until, limit, period = next_month(usage), quota.frames_per_month, "month"
    seconds = max(1, -int((datetime.now(UTC) - until).total_seconds() // 1))
    return Problem(
        429,
        "frames-quota",
        "The frame quota is used up",
        f"{usage.organisation} may have {limit} frames a {period} inspected; the next begins {until:%Y-%m-%d} UTC",
        remedy,
        headers={"Retry-After": str(seconds)},
    )
