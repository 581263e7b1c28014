"""`trialsight drift`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from trialsight_serving.schemas.drift import DriftOut


def drift(
    line: Annotated[str, typer.Argument(help="The line's name.")],
    home: Annotated[Path | None, typer.Option("--home", help="Folder that holds everything.")] = None,
    organisation: Annotated[str, typer.Option(help="Whose line it is.")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Whether a line still shows what it showed when its model went live, and what has moved if it does not."""
    from contextlib import closing

    from trialsight.errors import TrialsightError
    from trialsight_serving.drift.state import drift_of
    from trialsight_serving.settings import read_settings
    from trialsight_serving.store.database import open_database
    from trialsight_serving.store.lines import list_lines

    settings = read_settings({"home": home} if home else {})
    with closing(open_database(settings)) as database, database.read() as connection:
        if all(one.name != line for one in list_lines(connection, organisation)):
            raise TrialsightError(f"there is no line {line}", "see `trialsight line list`")
        found = drift_of(connection, organisation, line, settings.drift)
    typer.echo(found.model_dump_json() if as_json else "\n".join(_lines(found)))


def _lines(found: "DriftOut") -> list[str]:
    said = []
    for view in found.watched:
        said.append(f"{found.line}, view {view.view}: {view.recipe} version {view.version}")
        if view.frames < view.needed:
            said.append(f"  the reference has {view.frames} of {view.needed} frames")
        for one in view.findings:
            mark = "DRIFTED" if one.drifted else ""
            change = f"{one.before:10.4g} -> {one.now:10.4g}  {one.effect:+7.2f} of what matters"
            said.append(f"  {one.measure:<12}{change}  p {one.p:.1e}  {mark}".rstrip())
    for alarm in found.alarms:
        state = f"ended {alarm.ended_at:%Y-%m-%d %H:%M}" if alarm.ended_at else "open"
        who = f", acknowledged by {alarm.acknowledged_by}" if alarm.acknowledged_by else ""
        said.append(f"{alarm.opened_at:%Y-%m-%d %H:%M} {alarm.cause} ({alarm.view}): {state}{who}")
        if alarm.proposal:
            said.append(f"  proposed: {alarm.proposal}")
    return said or [f"{found.line}: no frame was looked at yet"]
