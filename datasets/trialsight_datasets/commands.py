"""`trialsight data …`: simulate an image set, check one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from trialsight_datasets.check import Report

app = typer.Typer(
    help="Simulate and check image sets.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not exist.")],
    good: Annotated[int, typer.Option(help="Good parts to train on.")] = 20,
    test_good: Annotated[int, typer.Option(help="Good parts to test on.")] = 10,
    defects: Annotated[int, typer.Option(help="Defective parts of each kind to test on.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same images.")] = 0,
    size: Annotated[int, typer.Option(help="Side of the square images in pixels.")] = 512,
    severity: Annotated[float, typer.Option(min=0, max=1, help="0: hard to see, 1: gross.")] = 0.7,
    as_json: AsJson = False,
) -> None:
    """Write a simulated product in the MVTec layout: good parts, and defects with exact masks."""
    import json

    from trialsight_datasets.simulate.dataset import Plan, write_simulated

    plan = Plan(good, test_good, defects, seed, size, severity)
    with _progress("simulating", plan.total) as advance:
        image_set = write_simulated(out, plan, advance)
    summary = {"root": str(image_set.root), "counts": image_set.counts(), "version": image_set.version(), "seed": seed}
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
    else:
        typer.echo(f"{len(image_set)} images in {image_set.root}: {_counts(image_set.counts())}")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Folder of an image set.")],
    layout: Annotated[str, typer.Option(help="auto, mvtec, visa or folders.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Read every file of an image set and list all that is wrong with it; exit code 1 if anything is."""
    import json

    from trialsight_datasets.check import check_image_set
    from trialsight_datasets.read import list_image_set

    image_set, listed = list_image_set(folder, layout)
    with _progress("checking", len(image_set)) as advance:
        report = check_image_set(image_set, listed, advance)
    if as_json:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        _print(report)
    if report.problems:
        raise typer.Exit(1)


def _print(report: "Report") -> None:
    image_set = report.image_set
    sizes = ", ".join(f"{size} ({count})" for size, count in list(report.sizes_px.items())[:4])
    more = f" and {len(report.sizes_px) - 4} more" if len(report.sizes_px) > 4 else ""
    typer.echo(f"{image_set.root} ({image_set.layout} layout): {_counts(image_set.counts())}")
    typer.echo(f"masks for {report.masks} defective parts; sizes {sizes}{more}")
    for problem in report.problems:
        typer.echo(f"problem: {problem}")
    verdict = f"{len(report.problems)} problems" if report.problems else f"all is well; version {report.version}"
    typer.echo(verdict)


def _counts(counts: dict[str, dict[str, int]]) -> str:
    splits = [
        f"{split} {', '.join(f'{number} {label}' for label, number in labels.items())}"
        for split, labels in counts.items()
        if labels
    ]
    return "; ".join(splits) or "no images"


@contextmanager
def _progress(what: str, total: int) -> Iterator["Callable[[], None]"]:
    """A function to call after each image: a bar on a terminal, about ten plain lines elsewhere, both on stderr."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    done = 0
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)

        def advance() -> None:
            nonlocal done
            done += 1
            progress.advance(task)
            if not console.is_terminal and (done == total or done % max(1, total // 10) == 0):
                typer.echo(f"{what}: {done}/{total}", err=True)

        yield advance
