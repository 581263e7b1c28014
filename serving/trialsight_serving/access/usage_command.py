"""`trialsight usage`: what organisations have used, and may use."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from trialsight_serving.store.usage import Usage


def usage(
    organisation: Annotated[str | None, typer.Option(help="One organisation, day by day; else all.")] = None,
    days: Annotated[int, typer.Option(min=1, max=3660, help="How many days back.")] = 31,
    home: Annotated[Path | None, typer.Option("--home", help="Folder that holds everything.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Frames and stored bytes of each organisation, and their quotas (`trialsight organisation quota`)."""
    import json
    from contextlib import closing

    from trialsight_serving.access.organisations import need_organisation
    from trialsight_serving.settings import read_settings
    from trialsight_serving.store.database import open_database
    from trialsight_serving.store.usage import all_usage, usage_by_day

    settings = read_settings({"home": home} if home else {})
    with closing(open_database(settings)) as database, database.read() as connection:
        if organisation is not None:
            need_organisation(connection, organisation)
        found = all_usage(connection, organisation=organisation)
        by_day = [] if organisation is None else usage_by_day(connection, organisation, days)
    if as_json:
        told: Any = [told_usage(one) for one in found]
        if organisation is not None:
            told = told[0] | {"days": [vars(day) | {"day": day.day.isoformat()} for day in by_day]}
        typer.echo(json.dumps(told))
        return
    for one in found:
        typer.echo(say(one))
    for day in by_day:
        typer.echo(f"{day.day}  {day.frames:>10} frames  +{day.bytes} -{day.removed_bytes} bytes")


def say(usage: "Usage") -> str:
    limits = usage.quota
    return (
        f"{usage.organisation:<16} today {_of(usage.frames_today, limits.frames_per_day)} frames, "
        f"this month {_of(usage.frames_this_month, limits.frames_per_month)}, "
        f"stored {_of(usage.stored_bytes, limits.stored_bytes)} bytes"
    )


def told_usage(usage: "Usage") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(usage) | {"day": usage.day.isoformat()}


def _of(used: int, limit: int | None) -> str:
    return f"{used:,}" if limit is None else f"{used:,} of {limit:,}"
