"""`trialsight inspect` and `trialsight calibrate`: verdicts for image files, millimetres from a target."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from trialsight.errors import TrialsightError


def inspect(
    package: Annotated[Path, typer.Argument(help="Folder of a model package.")],
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders that are searched for them.")],
    overlays: Annotated[
        Path | None, typer.Option(help="Write each image with its regions, measures and rule into this folder.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write one row an image into this CSV file.")] = None,
    variant: Annotated[str, typer.Option(help="Which of the package's graphs: fp32, fp16, int8 or bf16.")] = "fp32",
    fastest: Annotated[
        bool,
        typer.Option("--fastest", help="Take the graph and runtime that are fastest here; remembered."),
    ] = False,
    home: Annotated[Path | None, typer.Option(help="Folder where --fastest remembers.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array instead of lines.")] = False,
) -> None:
    """Give each image its verdict. A file that can't be inspected gets `no_verdict` with the reason."""
    import json

    from rich.console import Console
    from rich.progress import Progress

    from trialsight.fastest import load_fastest
    from trialsight.home import Home
    from trialsight.inspector import Inspector
    from trialsight.overlay import draw
    from trialsight.package import load_package
    from trialsight.report import describe, find_images, inspect_file, one_line, write_csv

    files = find_images(images)
    if not files:
        raise TrialsightError(f"no image among {', '.join(map(str, images))}", "JPEG, PNG, BMP and TIFF are taken")
    console = Console(stderr=True)  # stdout carries the verdicts alone
    if fastest:
        inspector, choice = load_fastest(load_package(package), Home.at(home).runtimes, callers=1)
        console.print(str(choice), highlight=False, soft_wrap=True)
    else:
        inspector = Inspector.load(package, variant=variant)
    rows = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for file in progress.track(files, description="inspecting"):
            inspection = inspect_file(inspector, file)
            rows.append(describe(file, inspection))
            if overlays is not None:
                draw(inspector, file, inspection, overlays)
            if not as_json:
                typer.echo(one_line(rows[-1]))
    if csv is not None:
        write_csv(csv, rows)
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))


def calibrate(
    image: Annotated[Path, typer.Argument(help="Picture of a calibration target that lies where the parts will lie.")],
    kind: Annotated[Literal["checkerboard", "charuco"], typer.Option(help="The target's pattern.")] = "charuco",
    columns: Annotated[int, typer.Option(help="Squares from left to right.")] = 10,
    rows: Annotated[int, typer.Option(help="Squares from top to bottom.")] = 7,
    square_mm: Annotated[float, typer.Option(help="Side of a square in mm, measured on the print.")] = 10.0,
    draw: Annotated[bool, typer.Option("--draw", help="Write the target itself to IMAGE, to be printed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find px -> mm from a calibration target, and print the `scale` to put into a recipe's view."""
    import json

    import yaml

    from trialsight.calibration import calibrate_file, write_target
    from trialsight.geometry.target import Target

    try:
        target = Target(kind, columns, rows, square_mm)
    except ValueError as error:
        raise TrialsightError(str(error)) from error
    if draw:
        write_target(target, image)
        typer.echo(f"{image}: print it without scaling, then measure a square and give --square-mm")
        return
    found = calibrate_file(image, target)
    scale = {"homography": [list(row) for row in found.scale.homography or ()]}
    if as_json:
        residual = {"rms_mm": found.residual_rms_mm, "max_mm": found.residual_max_mm}
        typer.echo(json.dumps({"scale": scale, "corners": found.corners, "residual": residual}))
        return
    typer.echo(
        f"# {found.corners} corners; residual {found.residual_rms_mm:.4f} mm rms, {found.residual_max_mm:.4f} max"
    )
    typer.echo(yaml.safe_dump({"scale": scale}, default_flow_style=None, sort_keys=False).rstrip())
