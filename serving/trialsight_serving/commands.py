"""`trialsight serve`, `trialsight bootstrap` and `trialsight line`."""

from pathlib import Path
from typing import Annotated, Any

import typer

_Home = Annotated[Path | None, typer.Option("--home", help="Folder that holds everything.")]
_Organisation = Annotated[str, typer.Option("--organisation", help="The organisation's id.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

line = typer.Typer(help="The pilot lines and the recipe each is bound to.", no_args_is_help=True)


def serve(
    home: _Home = None,
    host: Annotated[str | None, typer.Option(help="Address to bind.")] = None,
    port: Annotated[int | None, typer.Option(help="0 picks a free one.")] = None,
    open_: Annotated[bool | None, typer.Option("--open", help="Ask nobody for a key; on loopback alone.")] = None,
    workers: Annotated[int | None, typer.Option(help="Inspection threads; as many as cores if left out.")] = None,
) -> None:
    """Run the service until SIGTERM or Ctrl-C; running frames are finished first."""
    import gc

    gc.disable()  # importing makes no garbage, and a tenth of its time went into looking for some; `server` enables it

    from trialsight_serving import log
    from trialsight_serving.run import serve as run

    log.set_up()
    given: dict[str, Any] = {"home": home, "host": host, "port": port, "open": open_, "workers": workers}
    run(_settings({name: value for name, value in given.items() if value is not None}))


def bootstrap(home: _Home = None, as_json: _Json = False) -> None:
    """Make the first administrator key and a camera key, and print them this once."""
    import json

    from trialsight_serving.access.bootstrap import bootstrap as run

    keys = run(_settings({"home": home} if home else {}))
    if as_json:
        typer.echo(json.dumps(keys))
        return
    typer.echo("Keep these keys: they are not shown again.")
    for role, key in keys.items():
        typer.echo(f"  {role:<14} {key}")


@line.command("list")
def list_(organisation: _Organisation = "default", home: _Home = None, as_json: _Json = False) -> None:
    """Lines and their recipes."""
    import json
    from dataclasses import asdict

    from trialsight_serving.store.lines import list_lines

    with _database(home) as database, database.read() as connection:
        found = list_lines(connection, organisation)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in found], ensure_ascii=False))
        return
    for row in found:
        views = ", ".join(f"{view}: {recipe}" for view, recipe in row.views.items())
        typer.echo(f"{row.name:<20} {views or row.recipe or '-'}")


@line.command()
def add(
    name: Annotated[str, typer.Argument(help="The line's name, as cameras will use it.")],
    recipe: Annotated[str | None, typer.Option(help="Bind it to this recipe.")] = None,
    organisation: _Organisation = "default",
    home: _Home = None,
) -> None:
    """Add a line."""
    from trialsight_serving.access.organisations import need_organisation
    from trialsight_serving.store.audit import operator
    from trialsight_serving.store.lines import add_line

    with _database(home) as database, database.write() as connection:
        need_organisation(connection, organisation)
        add_line(connection, name, recipe, organisation, who=operator())
    typer.echo(f"line {name} added" + (f", bound to {recipe}" if recipe else ""))


@line.command()
def bind(
    name: Annotated[str, typer.Argument(help="The line's name.")],
    recipe: Annotated[str, typer.Argument(help="The recipe that inspects its frames.")],
    view: Annotated[str | None, typer.Option(help="Only this view's; a part then needs every view so bound.")] = None,
    organisation: _Organisation = "default",
    home: _Home = None,
) -> None:
    """Bind a line, or one of several views of it, to a recipe; a running service follows within a second."""
    from trialsight_serving.store.audit import operator
    from trialsight_serving.store.lines import bind_line, bind_view

    with _database(home) as database, database.write() as connection:
        if view is None:
            bind_line(connection, name, recipe, organisation, who=operator())
        else:
            bind_view(connection, name, view, recipe, organisation, who=operator())
    typer.echo(f"line {name}{f', view {view},' if view else ''} is bound to {recipe}")


@line.command()
def unbind(
    name: Annotated[str, typer.Argument(help="The line's name.")],
    view: Annotated[str, typer.Option(help="The view that parts no longer need.")],
    organisation: _Organisation = "default",
    home: _Home = None,
) -> None:
    """Take a view off a line."""
    from trialsight_serving.store.audit import operator
    from trialsight_serving.store.lines import unbind_view

    with _database(home) as database, database.write() as connection:
        unbind_view(connection, name, view, organisation, who=operator())
    typer.echo(f"line {name} has no view {view} any more")


def _settings(given: dict[str, Any]) -> Any:
    from trialsight_serving.settings import read_settings

    return read_settings(given)


def _database(home: Path | None) -> Any:
    from contextlib import closing

    from trialsight_serving.store.database import open_database

    return closing(open_database(_settings({"home": home} if home else {})))
