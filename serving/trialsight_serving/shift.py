"""When the shift that is running now began, by the plant's own clock."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta, tzinfo


def shift_start(now: datetime, starts: Sequence[time], zone: tzinfo | None) -> datetime:
    """`now` aware. `starts`: when shifts begin, by the clock of `zone`; None: that of this machine. The last of them
    that is not in the future, of today or else of yesterday."""
    local = now.astimezone(zone)
    days = (local.date() - timedelta(days=back) for back in (0, 1))
    begun = [datetime.combine(day, start, tzinfo=local.tzinfo) for day in days for start in starts]
    return max(start for start in begun if start <= local)
