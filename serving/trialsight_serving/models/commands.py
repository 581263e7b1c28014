"""`trialsight promote`, `trialsight challenge` and `trialsight rollback`."""

from pathlib import Path
from typing import Annotated

import typer

_Home = Annotated[Path | None, typer.Option("--home", help="Folder that holds everything.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_Organisation = Annotated[str, typer.Option("--organisation", help="The organisation's id.")]
_Reason = Annotated[str, typer.Option(help="Why; kept in the audit record.")]


def promote(
    recipe: Annotated[str, typer.Argument(help="The recipe's name.")],
    version: Annotated[str, typer.Argument(help="The version that `trialsight train` printed.")],
    home: _Home = None,
    line: Annotated[str | None, typer.Option(help="Bind this line to the recipe.")] = None,
    reason: _Reason = "",
    approver: Annotated[str | None, typer.Option(help="Who answers for it; else whoever types this.")] = None,
    organisation: _Organisation = "default",
    as_json: _Json = False,
) -> None:
    """Make a version the champion, if it passes the gate (docs/promotion.md)."""
    from trialsight.home import Home
    from trialsight_serving.models.promotion import promote as run

    done = run(Home.at(home), recipe, version, line, reason, organisation, approver)
    bound = f", now on line {', '.join(done.lines)}" if done.lines else ""
    assert done.conditions is not None
    text = f"{recipe} version {version} is champion{bound}"
    text += "".join(f"\n  {line}" for line in done.conditions.lines())
    if done.evidence is not None and done.evidence.frames:
        text += f"\n  {done.evidence}"
    _print(done, text, as_json)


def challenge(
    recipe: Annotated[str, typer.Argument(help="The recipe's name.")],
    version: Annotated[str | None, typer.Argument(help="The challenger; left out, the present one's evidence.")] = None,
    home: _Home = None,
    end: Annotated[bool, typer.Option("--end", help="End the challenge.")] = False,
    reason: _Reason = "",
    organisation: _Organisation = "default",
    as_json: _Json = False,
) -> None:
    """Let a version run in the champion's shadow on live frames, or show what has come of it."""
    from trialsight.home import Home
    from trialsight_serving.models.promotion import challenge as run

    if end and version is not None:
        raise typer.BadParameter("give a version, or --end")
    done = run(Home.at(home), recipe, version, reason, version is None and not end, organisation)
    if done.version is None:
        text = f"{recipe} has no challenger" + (f" any more (was version {done.before})" if done.before else "")
    else:
        text = f"{recipe} version {done.version} runs in the shadow of version {done.champion}\n  {done.evidence}"
    _print(done, text, as_json)


def rollback(
    recipe: Annotated[str, typer.Argument(help="The recipe's name.")],
    home: _Home = None,
    reason: _Reason = "",
    organisation: _Organisation = "default",
    as_json: _Json = False,
) -> None:
    """Bring back the champion before this one."""
    from trialsight.home import Home
    from trialsight_serving.models.promotion import rollback as run

    done = run(Home.at(home), recipe, reason, organisation)
    _print(done, f"{recipe} is back at version {done.version} (was {done.previous})", as_json)


def _print(done: object, text: str, as_json: bool) -> None:
    import json
    from dataclasses import asdict

    typer.echo(json.dumps(asdict(done), ensure_ascii=False) if as_json else text)  # type: ignore[call-overload]
