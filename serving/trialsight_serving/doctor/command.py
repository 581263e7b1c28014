"""`trialsight doctor`."""

from pathlib import Path
from typing import Annotated, Any

import typer


def doctor(
    home: Annotated[Path | None, typer.Option("--home", help="Folder that holds everything.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look at the home and all that its service needs, and say what to do. Changes nothing.

    Exits with 1 where something is at fault: frames get no verdicts, or won't. Warnings alone leave 0.
    """
    import json
    from dataclasses import asdict

    from trialsight.errors import TrialsightError
    from trialsight_serving.doctor.examine import examine
    from trialsight_serving.doctor.finding import Finding, State, fault
    from trialsight_serving.settings import read_settings

    given: dict[str, Any] = {"home": home} if home else {}
    found: list[Finding]
    try:
        found = examine(read_settings(given))
    except TrialsightError as error:
        found = [fault("settings", error.problem, error.remedy)]
    worst = [state for state in (State.FAULT, State.WARNING) if any(one.state is state for one in found)]
    if as_json:
        typer.echo(json.dumps({"state": (worst or [State.OK])[0], "findings": [asdict(one) for one in found]}))
    else:
        for one in found:
            typer.echo(f"{one.state:<8} {one.check:<12} {one.what}")
            if one.remedy:
                typer.echo(f"{'':<21} -> {one.remedy}")
    if State.FAULT in worst:
        raise typer.Exit(1)
