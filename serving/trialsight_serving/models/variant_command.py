"""`trialsight variant new`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Variants of a product.")


@app.callback()
def variants() -> None:
    """Variants of a product."""


@app.command()
def new(
    good: Annotated[Path, typer.Option(help="Folder with pictures of good parts of the new variant.")],
    start: Annotated[
        str | None, typer.Option("--from", help="RECIPE or RECIPE/VERSION to start from; left out: the nearest.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The new recipe; left out: the folder's name.")] = None,
    home: Annotated[Path | None, typer.Option("--home", help="Folder that holds everything.")] = None,
    organisation: Annotated[str, typer.Option("--organisation", help="The organisation's id.")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Start a variant from an older one: its rules, costs, classes and, where the detector can, its memory."""
    import json
    import re
    from contextlib import closing
    from dataclasses import asdict

    from trialsight.engines import cores
    from trialsight.home import Home
    from trialsight_serving.jobs.process import run_command
    from trialsight_serving.models.registry import Registry
    from trialsight_serving.models.variant import new_variant
    from trialsight_serving.settings import Settings
    from trialsight_serving.store.audit import operator
    from trialsight_serving.store.database import open_database

    where = Home.at(home)
    called = name or re.sub(r"[^a-z0-9_]+", "-", good.expanduser().resolve().name.lower()).strip("-_")[:63]

    def tell(step: str, share: float | None) -> None:
        typer.echo(f"{step}{'' if share is None else f': {share:.0%}'}", err=True)

    with closing(open_database(Settings(home=where.root))) as database:
        made = new_variant(
            where,
            database,
            Registry(where, organisation),
            good,
            called,
            start,
            operator(),
            lambda words: run_command(words, where.logs / "variant.txt", cores(), tell, lambda: False, nice=False),
            organisation,
        )
    if as_json:
        typer.echo(json.dumps(asdict(made)))
        return
    older = made.older
    near = "" if older.distance is None else f", {older.distance:.3g} away"
    typer.echo(f"{made.recipe} version {made.version}, from {older.recipe}/{older.version}{near}: {made.promise}")
    if made.parts < made.parts_needed:
        more = made.parts_needed - made.parts
        typer.echo(f"learned from {made.parts} good parts; the recipe's promise takes {made.parts_needed}: {more} more")
    typer.echo(f"recipe: {made.recipe_file}")
    typer.echo(f"make it live: trialsight promote {made.recipe} {made.version} --line LINE")
