"""The command `trialsight`: finds each wing's commands by entry point and imports a wing only when it is called."""

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from trialsight.errors import TrialsightError

GROUP = "trialsight.commands"


class LazyGroup(TyperGroup):
    """A group whose members are entry points, so that `trialsight inspect` imports neither the web nor torch.

    (`--help` imports every wing's `commands` module for its one-line help; those import nothing heavy.)
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class's signature
        return sorted(entry.name for entry in entry_points(group=GROUP))

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:  # noqa: ARG002
        found = next((entry for entry in entry_points(group=GROUP) if entry.name == cmd_name), None)
        return None if found is None else _command(found)


def _command(entry: EntryPoint) -> TyperCommand | TyperGroup:
    """The entry point's command: a typer app as a group, a plain function as a single command."""
    target: Any = entry.load()
    if isinstance(target, typer.Typer):
        group = typer.main.get_group(target)
        group.name = entry.name
        return group
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(entry.name)(target)
    command = typer.main.get_command(single)
    assert isinstance(command, TyperCommand)
    return command


app = typer.Typer(
    cls=LazyGroup,
    name="trialsight",
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
    except ModuleNotFoundError as error:
        # Only training's libraries are optional; a command that needs them imports them when it is called.
        print(  # noqa: T201
            f"trialsight: this command needs {error.name}, which is not installed "
            "(pip install 'trialsight[train]' brings what training needs)",
            file=sys.stderr,
        )
        sys.exit(1)
