"""`trialsight audit`, `trialsight retention`, `trialsight backup` and `trialsight restore`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from contextlib import closing

    from trialsight_serving.settings import Settings
    from trialsight_serving.store.database import Database

_Home = Annotated[Path | None, typer.Option("--home", help="Folder that holds everything.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

audit = typer.Typer(help="The record of every change: who, what, when, from what to what.", no_args_is_help=True)


@audit.command()
def verify(
    home: _Home = None,
    expect: Annotated[str | None, typer.Option(help="A hash that was noted earlier and must still be there.")] = None,
    as_json: _Json = False,
) -> None:
    """Find any tampering: entries changed, taken out, moved or cut off. Exit code 1 where there is some."""
    import json
    from dataclasses import asdict

    from trialsight_serving.store.audit.anchors import read_anchors
    from trialsight_serving.store.audit.check import check_audit

    settings = _settings(home)
    with _database(settings) as database, database.read() as connection:
        report = check_audit(connection, read_anchors(settings.paths.audit_anchors), expect)
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False))
    else:
        for problem in report.problems:
            typer.echo(f"tampered: {problem}")
        for head in report.heads:
            typer.echo(f"{head.organisation_id}: {head.seq} entries, the last has the hash {head.hash}")
        if not report.problems:
            typer.echo(f"{report.checked} entries are as they were written")
    if report.problems:
        raise typer.Exit(1)


@audit.command()
def export(
    home: _Home = None,
    organisation: Annotated[str | None, typer.Option(help="Only this one's.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of JSON lines.")] = False,
) -> None:
    """Print the record, oldest first: JSON lines, each of which can be checked by its hash, or CSV."""
    import csv
    import json
    import sys

    from trialsight_serving.store.audit import entries

    with _database(_settings(home)) as database, database.read() as connection:
        writer = None
        for entry in entries(connection, organisation):
            row = entry.to_json()
            if not as_csv:
                typer.echo(json.dumps(row, ensure_ascii=False))
                continue
            if writer is None:
                writer = csv.DictWriter(sys.stdout, row)
                writer.writeheader()
            texts = {name: json.dumps(row[name], ensure_ascii=False) for name in ("old", "new")}
            writer.writerow({name: _inert(value) for name, value in (row | texts).items()})


def retention(
    home: _Home = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be deleted.")] = False,
    as_json: _Json = False,
) -> None:
    """Delete what the settings `keep_days` and `disk_keep_free_mb` no longer keep, and files that nobody needs."""
    import json
    import logging

    from trialsight_serving import log
    from trialsight_serving.store.images import open_images
    from trialsight_serving.store.upkeep.housekeeping import Housekeeping, policy_of
    from trialsight_serving.store.upkeep.retention import remove_old
    from trialsight_serving.store.upkeep.space import Space

    log.set_up(logging.WARNING)
    settings = _settings(home)
    images = open_images(settings)
    with _database(settings) as database:
        if dry_run:
            removed = remove_old(database.transact, policy_of(settings), dry=True)
        else:
            space = Space(images, settings.paths.root, 0)
            removed = Housekeeping(settings, database, images, space, database.transact).once()
    sizes = [images.size(name) or 0 for name in removed.files] if dry_run else []
    found = {"parts": removed.parts, "frames": removed.frames, "files": len(removed.files), "dry_run": dry_run}
    if dry_run:
        found["bytes"] = sum(sizes)
    if as_json:
        typer.echo(json.dumps(found))
        return
    verb = "would be deleted" if dry_run else "deleted"
    kinds = ", ".join(f"{count} {verdict}" for verdict, count in sorted(removed.parts.items())) or "no part"
    room = f", {sum(sizes) / 2**20:.1f} MiB" if dry_run else ""
    typer.echo(f"{verb}: {kinds}; {removed.frames} frames, {len(removed.files)} files{room}")


def backup(
    target: Annotated[Path, typer.Argument(help="A new or empty folder, best on another disk.")],
    home: _Home = None,
    as_json: _Json = False,
) -> None:
    """Copy the home while its service runs: database, images, models and registry, with checksums."""
    from trialsight_serving.store.upkeep.backup import backup as run

    _told(run(_settings(home), target, _tell), f"{target} is a backup of the home", as_json)


def restore(
    source: Annotated[Path, typer.Argument(help="What `trialsight backup` made.")],
    home: _Home = None,
    as_json: _Json = False,
) -> None:
    """Make a home of a backup whose checksums are right; a home that holds something is never overwritten."""
    from trialsight_serving.store.upkeep.backup import restore as run

    paths = _settings(home).paths
    _told(run(source, paths, _tell), f"{paths.root} is as it was", as_json)


def _told(manifest: object, text: str, as_json: bool) -> None:
    import json
    from dataclasses import asdict

    from trialsight_serving.store.upkeep.backup import Manifest

    assert isinstance(manifest, Manifest)
    if as_json:
        typer.echo(json.dumps(asdict(manifest), ensure_ascii=False))
    else:
        size = f"{manifest.images} images, {manifest.bytes / 2**20:.1f} MiB"
        typer.echo(f"{text}: {size}, {manifest.created_at}")
    for name in manifest.damaged:
        typer.echo(f"trialsight: image {name} was damaged in the home already", err=True)
    if manifest.damaged:
        raise typer.Exit(1)


def _tell(text: str) -> None:
    typer.echo(text, err=True)


def _inert(value: object) -> object:
    """A cell that a spreadsheet would take for a formula becomes text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _settings(home: Path | None) -> "Settings":
    from trialsight_serving.commands import _settings as read

    found: Settings = read({"home": home} if home else {})
    return found


def _database(settings: "Settings") -> "closing[Database]":
    from contextlib import closing

    from trialsight_serving.store.database import open_database

    return closing(open_database(settings))
