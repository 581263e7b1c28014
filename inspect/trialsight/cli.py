"""The command `trialsight`: finds each wing's commands by entry point and imports a wing only when it is called."""

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click
import typer
from typer.core import TyperGroup

from trialsight.errors import TrialsightError

GROUP = "trialsight.commands"


class LazyGroup(TyperGroup):
    """A command group whose members are entry points, so `trialsight inspect` never imports the web or torch."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(entry.name for entry in entry_points(group=GROUP))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        found = next((entry for entry in entry_points(group=GROUP) if entry.name == cmd_name), None)
        return None if found is None else _command(found)


def _command(entry: EntryPoint) -> click.Command:
    """The entry point's command: a typer app as a group, a plain function as a single command."""
    try:
        target: Any = entry.load()
    except ModuleNotFoundError as error:
        raise TrialsightError(
            f"`trialsight {entry.name}` needs {error.name}, which is not installed",
            "pip install 'trialsight[train]' brings what training needs",
        ) from error
    app = target
    if not isinstance(target, typer.Typer):
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(entry.name)(target)
    command: click.Command = typer.main.get_command(app)
    command.name = entry.name
    return command


app = typer.Typer(
    cls=LazyGroup,
    name="trialsight",
    help="Machine-vision defect inspection for trial production.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def root() -> None:
    """Machine-vision defect inspection for trial production."""


def main() -> None:
    """Run a command; a foreseen fault is one line on stderr and exit code 1."""
    try:
        app()
    except TrialsightError as error:
        print(f"trialsight: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
