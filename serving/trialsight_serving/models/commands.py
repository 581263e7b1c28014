"""`trialsight promote` and `trialsight rollback`."""

from pathlib import Path
from typing import Annotated

import typer

_Home = Annotated[Path | None, typer.Option("--home", help="Folder that holds everything.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def promote(
    recipe: Annotated[str, typer.Argument(help="The recipe's name.")],
    version: Annotated[str, typer.Argument(help="The version that `trialsight train` printed.")],
    home: _Home = None,
    line: Annotated[str | None, typer.Option(help="Bind this line to the recipe.")] = None,
    as_json: _Json = False,
) -> None:
    """Make a version the champion, if its golden frames get the verdicts they must."""
    from trialsight.home import Home
    from trialsight_serving.models.promotion import promote as run

    done = run(Home.at(home), recipe, version, line)
    bound = f", now on line {', '.join(done.lines)}" if done.lines else ""
    assert done.gate is not None
    _print(
        done, f"{recipe} version {version} is champion ({len(done.gate.results)} golden frames right){bound}", as_json
    )


def rollback(
    recipe: Annotated[str, typer.Argument(help="The recipe's name.")],
    home: _Home = None,
    as_json: _Json = False,
) -> None:
    """Bring back the champion before this one."""
    from trialsight.home import Home
    from trialsight_serving.models.promotion import rollback as run

    done = run(Home.at(home), recipe)
    _print(done, f"{recipe} is back at version {done.version} (was {done.previous})", as_json)


def _print(done: object, text: str, as_json: bool) -> None:
    import json
    from dataclasses import asdict

    typer.echo(json.dumps(asdict(done), ensure_ascii=False) if as_json else text)  # type: ignore[call-overload]
