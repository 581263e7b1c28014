"""`trialsight user`, `trialsight key` and `trialsight organisation`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_DEFAULT = "default"
_Home = Annotated[Path | None, typer.Option("--home", help="Folder that holds everything.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Organisation = Annotated[str, typer.Option("--organisation", help="The organisation's id.")]
_Role = Annotated[str, typer.Option(help="camera (keys only), reviewer, engineer or administrator.")]
_Name = Annotated[str, typer.Argument(help="The name to log in with; history and audit show it.")]
_Subject = Annotated[str | None, typer.Option(help="Their `sub` at the OpenID provider of the settings.")]
_FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read it from standard input.")]

user = typer.Typer(help="People who log in with a password.", no_args_is_help=True)
key = typer.Typer(help="API keys of cameras and programs.", no_args_is_help=True)
organisation = typer.Typer(
    help="Companies that share this service and see nothing of each other.", no_args_is_help=True
)


@user.command("add")
def add_user(
    name: _Name,
    role: _Role = "reviewer",
    organisation: _Organisation = _DEFAULT,
    password_stdin: _FromStdin = False,
    subject: _Subject = None,
    home: _Home = None,
) -> None:
    """Add a user; the password is asked for, unless the OpenID provider lets them in."""
    from trialsight_serving.access.users import add_user as add

    known_as = None if subject is None else _subject(home, subject)
    password = _password(password_stdin) if subject is None or password_stdin else None
    with _write(home) as (connection, who):
        add(connection, organisation, name, _role(role), password, known_as, who=who)
    typer.echo(f"user {name} added as {role}")


@user.command("list")
def list_users(organisation: _Organisation = _DEFAULT, home: _Home = None, as_json: _Json = False) -> None:
    """Users of an organisation."""
    from trialsight_serving.access.users import list_users as find

    with _write(home) as (connection, _):
        _print(find(connection, organisation), as_json, "name", "role", "subject", "last_login_at", "disabled_at")


@user.command("set")
def set_user(
    name: _Name,
    role: Annotated[str | None, typer.Option(help="A new role.")] = None,
    disabled: Annotated[bool | None, typer.Option("--disable/--enable", help="Let them in no more, or again.")] = None,
    new_password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    password_stdin: _FromStdin = False,
    subject: _Subject = None,
    organisation: _Organisation = _DEFAULT,
    home: _Home = None,
) -> None:
    """Change role or password, disable or enable; whoever is changed is logged out everywhere."""
    from trialsight.errors import TrialsightError
    from trialsight_serving.access.users import change_user, find_user

    password = _password(password_stdin) if new_password or password_stdin else None
    known_as = None if subject is None else _subject(home, subject)
    with _write(home) as (connection, who):
        found = find_user(connection, organisation, name)
        if found is None:
            raise TrialsightError(f"there is no user {name}", "see `trialsight user list`")
        wanted = None if role is None else _role(role)
        change_user(
            connection,
            organisation,
            found.id,
            role=wanted,
            password=password,
            disabled=disabled,
            subject=known_as,
            who=who,
        )
    typer.echo(f"user {name} changed")


@key.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="What it is for, say `camera of L1`; history and audit show it.")],
    role: _Role = "camera",
    line: Annotated[list[str] | None, typer.Option(help="Only this line; may be repeated.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="It expires then; else never.")] = None,
    organisation: _Organisation = _DEFAULT,
    home: _Home = None,
    as_json: _Json = False,
) -> None:
    """Make a key and print it, this once."""
    import json
    from datetime import UTC, datetime, timedelta

    from trialsight_serving.access.keys import make_key
    from trialsight_serving.access.organisations import need_organisation

    until = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with _write(home) as (connection, who):
        need_organisation(connection, organisation)
        made = make_key(connection, _role(role), name, until, organisation, line or None, who=who)
    if as_json:
        typer.echo(json.dumps({"key": made}))
        return
    typer.echo("Keep this key: it is not shown again.")
    typer.echo(f"  {made}")


@key.command("list")
def list_keys(organisation: _Organisation = _DEFAULT, home: _Home = None, as_json: _Json = False) -> None:
    """Keys of an organisation, newest first; never the keys themselves."""
    from trialsight_serving.access.keys import list_keys as find

    with _write(home) as (connection, _):
        found = find(connection, organisation)
    _print(found, as_json, "id", "name", "role", "lines", "expires_at", "last_used_at", "revoked_at")


@key.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="Its id, as `trialsight key list` shows it.")],
    organisation: _Organisation = _DEFAULT,
    home: _Home = None,
) -> None:
    """Make a key worthless at once."""
    from trialsight_serving.access.keys import revoke_key as revoke

    with _write(home) as (connection, who):
        done = revoke(connection, organisation, key_id, who=who)
    typer.echo(f"key {done.name} is revoked")


@organisation.command("add")
def add_organisation(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Small letters, digits and hyphens.")],
    name: Annotated[str, typer.Option(help="The company's name.")] = "",
    home: _Home = None,
    as_json: _Json = False,
) -> None:
    """Add an organisation and print its first administrator's key, this once."""
    import json

    from trialsight_serving.access.keys import make_key
    from trialsight_serving.access.organisations import add_organisation as add
    from trialsight_serving.access.principal import Role

    with _write(home) as (connection, who):
        add(connection, identifier, name or identifier, who=who)
        made = make_key(connection, Role.ADMINISTRATOR, "first administrator", organisation=identifier, who=who)
    if as_json:
        typer.echo(json.dumps({"organisation": identifier, "administrator": made}))
        return
    typer.echo(f"organisation {identifier} added. Keep its administrator's key: it is not shown again.")
    typer.echo(f"  {made}")


@organisation.command("list")
def list_organisations(home: _Home = None, as_json: _Json = False) -> None:
    """All organisations."""
    from trialsight_serving.access.organisations import list_organisations as find

    with _write(home) as (connection, _):
        _print(find(connection), as_json, "id", "name", "created_at")


@organisation.command("quota")
def quota(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The organisation's id.")],
    frames_per_day: Annotated[int | None, typer.Option(min=0, help="Frames that it may have inspected a day.")] = None,
    frames_per_month: Annotated[int | None, typer.Option(min=0, help="The same for a calendar month.")] = None,
    stored_gb: Annotated[
        float | None, typer.Option(min=0, help="Pictures and maps that it may keep, in 10^9 bytes.")
    ] = None,
    no_limits: Annotated[bool, typer.Option("--no-limits", help="Take away the limits that aren't named.")] = False,
    home: _Home = None,
    as_json: _Json = False,
) -> None:
    """Show or set what an organisation may use; limits that aren't named stay. A running service follows at once."""
    import json

    from trialsight_serving.access.organisations import need_organisation
    from trialsight_serving.access.usage_command import say, told_usage
    from trialsight_serving.store.usage import Quota, changed, set_quota, usage_of

    size = None if stored_gb is None else round(stored_gb * 1e9)
    with _write(home) as (connection, who):
        need_organisation(connection, identifier)
        before = Quota() if no_limits else usage_of(connection, identifier).quota
        wanted = changed(before, frames_per_day=frames_per_day, frames_per_month=frames_per_month, stored_bytes=size)
        set_quota(connection, identifier, wanted, who=who)
        now = usage_of(connection, identifier)
    typer.echo(json.dumps(told_usage(now)) if as_json else say(now))


def _role(text: str) -> Any:
    from trialsight.errors import TrialsightError
    from trialsight_serving.access.principal import Role

    try:
        return Role(text)
    except ValueError:
        raise TrialsightError(f"there is no role {text}", f"use one of {', '.join(Role)}") from None


def _subject(home: Path | None, sub: str) -> str:
    from trialsight.errors import TrialsightError
    from trialsight_serving.settings import read_settings

    oidc = read_settings({"home": home} if home else {}).oidc
    if oidc is None:
        raise TrialsightError("the settings name no OpenID provider", "set oidc.issuer and oidc.client_id first")
    return oidc.subject(sub)


def _password(from_stdin: bool) -> str:
    import sys

    from trialsight.errors import TrialsightError

    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise TrialsightError("there is no terminal to ask for the password", "pipe it in, with --password-stdin")
    given: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return given


@contextmanager
def _write(home: Path | None) -> Iterator[tuple["Connection", str]]:
    """A transaction in the home's database, and who types this."""
    from trialsight_serving.settings import read_settings
    from trialsight_serving.store.audit import operator
    from trialsight_serving.store.database import open_database

    database = open_database(read_settings({"home": home} if home else {}))
    try:
        with database.write() as connection:
            yield connection, operator()
    finally:
        database.close()


def _print(rows: Any, as_json: bool, *columns: str) -> None:
    import json

    told = [{name: _text(getattr(row, name)) for name in columns} for row in rows]
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    widths = [max([len(name), *(len(_cell(row[name])) for row in told)]) for name in columns]
    for cells in [list(columns), *([_cell(row[name]) for name in columns] for row in told)]:
        typer.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip())


def _text(value: Any) -> Any:
    from datetime import datetime

    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return list(value) if isinstance(value, tuple) else value


def _cell(value: Any) -> str:
    return "-" if value is None else ", ".join(value) if isinstance(value, list) else str(value)
