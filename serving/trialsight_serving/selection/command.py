"""`trialsight select`."""

from pathlib import Path
from typing import Annotated

import typer


def select(
    line: Annotated[str | None, typer.Option(help="Only parts of this line.")] = None,
    count: Annotated[int, typer.Option(min=1, max=200, help="How many parts.")] = 20,
    audit: Annotated[bool, typer.Option("--audit", help="The audit sample's unreviewed parts instead.")] = False,
    home: Annotated[Path | None, typer.Option("--home", help="Folder that holds everything.")] = None,
    organisation: Annotated[str, typer.Option("--organisation", help="The organisation's id.")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Which parts to look at next: what tells most, or the random sample that tells how many defects pass."""
    import json
    from contextlib import closing
    from dataclasses import asdict

    from trialsight_serving.selection.audit import escape_rate
    from trialsight_serving.selection.informative import informative
    from trialsight_serving.settings import read_settings
    from trialsight_serving.store.database import open_database
    from trialsight_serving.store.parts import PartFilter, PartRecord, list_parts

    settings = read_settings({"home": home} if home else {})
    wanted = PartFilter(line=line)
    rows: list[tuple[PartRecord, float | None, float | None]]
    with closing(open_database(settings)) as database, database.read() as connection:
        seen = escape_rate(connection, organisation, wanted, settings.audit_rate)
        if audit:
            sample = PartFilter(line=line, review="unreviewed", audit_rate=settings.audit_rate)
            rows = [(part, None, None) for part in list_parts(connection, organisation, sample, None, count)]
        else:
            picks = informative(connection, organisation, wanted, count)
            rows = [(one.part, one.uncertainty, one.novelty) for one in picks]
    if as_json:
        plain = [{"id": part.id, "part": part.serial, "uncertainty": u, "novelty": n} for part, u, n in rows]
        typer.echo(json.dumps({"parts": plain, "escape_rate": asdict(seen)}))
        return
    for part, u, n in rows:
        near = "" if u is None else f"  {u:.3g} from a threshold"
        typer.echo(f"{part.serial}  {part.verdict}{near}{'' if n is None else f', {n:.3g} from what was reviewed'}")
    typer.echo(f"audit sample: {seen.reviewed} of {seen.sampled} reviewed, {seen.escapes} escaped", err=True)
    if seen.rate is not None:
        typer.echo(f"escape rate {seen.rate:.2%}, {seen.low:.2%} to {seen.high:.2%} (95 %)", err=True)
