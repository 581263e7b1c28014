"""`trialsight inspect`: verdicts for image files, with overlays to look at."""

from pathlib import Path
from typing import Annotated

import typer

from trialsight.errors import TrialsightError


def inspect(
    package: Annotated[Path, typer.Argument(help="Folder of a model package.")],
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders that are searched for them.")],
    overlays: Annotated[
        Path | None, typer.Option(help="Write each image with its regions drawn into this folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array instead of lines.")] = False,
) -> None:
    """Give each image its verdict. A file that can't be inspected gets `no_verdict` with the reason."""
    import json

    from rich.console import Console
    from rich.progress import Progress

    from trialsight.inspector import Inspector
    from trialsight.report import describe, draw, find_images, inspect_file

    files = find_images(images)
    if not files:
        raise TrialsightError(f"no image among {', '.join(map(str, images))}", "JPEG, PNG, BMP and TIFF are taken")
    inspector = Inspector.load(package)
    rows = []
    console = Console(stderr=True)  # stdout carries the verdicts alone
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for file in progress.track(files, description="inspecting"):
            inspection = inspect_file(inspector, file)
            row = describe(file, inspection)
            rows.append(row)
            if overlays is not None:
                draw(inspector, file, inspection, overlays)
            if not as_json:
                score = "-" if row["score"] is None else f"{row['score']:.4g}"
                typer.echo(f"{row['verdict']:<10} {score:>8}  {file}  {row['reason'] or ''}".rstrip())
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
