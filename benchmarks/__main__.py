"""`python -m benchmarks NAME`: run one benchmark and write docs/benchmarks/NAME.md."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.measure.report import DOCS, ROOT
from benchmarks.measure.sets import SETS, shared_folder
from trialsight.errors import TrialsightError

PLACE = ROOT / ".bench"
BENCHMARKS = {
    "inspection": "what an inspection costs beyond decode and session run, memory, anomalib's inferencers beside it",
    "service": "HTTP to durable verdict over bare decode and run, overload, FastAPI and MLflow serving beside it",
    "store": "results coming in, lists and filters with a million results stored, on SQLite and PostgreSQL",
    "learning": "quality, fit time and frame time on the real sets, anomalib's PatchCore beside them",
    "labels": "what labelled defects teach, known kinds and withheld ones, and what adding parts costs",
    "drift": "each cause injected into the simulated line: frames until it is told, as what, and false alarms",
    "loop": "what a retraining in the worker does to the line's times, halted and running in turn",
    "viewer": "key press to next part drawn with 100,000 parts stored, and a 20-megapixel frame's zoom, in Chromium",
}

Shared = Annotated[
    Path | None, typer.Option(help="Folder with data/ and weights/; else TRIALSIGHT_SHARED, else ../shared.")
]
Docs = Annotated[Path, typer.Option(help="Folder of the report.")]
Place = Annotated[Path, typer.Option(help="Scratch folder: packages, the rival's models.")]
Rival = Annotated[bool, typer.Option("--rival/--without-rival", help="Run anomalib beside, in its own environment.")]
Reuse = Annotated[
    bool, typer.Option("--reuse-rival", help="Take the rival's models of an earlier run from the scratch folder.")
]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, invoke_without_command=True)


@app.callback()
def root(
    context: typer.Context,
    list_all: Annotated[bool, typer.Option("--list", help="Name the benchmarks and stop.")] = False,
) -> None:
    """Measure this project, with ratios within one run. Name a benchmark."""
    if list_all or context.invoked_subcommand is None:
        for name, what in BENCHMARKS.items():
            typer.echo(f"{name:<12} {what}")
        raise typer.Exit(0 if list_all else 2)


@app.command()
def inspection(
    rounds: Annotated[int, typer.Option(help="Laps of each contender.", min=1)] = 40,
    rival: Rival = True,
    reuse_rival: Reuse = False,
    shared: Shared = None,
    place: Place = PLACE,
    docs: Docs = DOCS,
) -> None:
    """What an inspection costs beyond its floor."""
    from benchmarks.inspection.run import run

    typer.echo(run(shared_folder(shared), place / "inspection", docs, rounds, rival, reuse_rival))


@app.command()
def learning(
    sets: Annotated[str, typer.Option(help="Which sets, separated by commas.")] = ",".join(SETS),
    keep: Annotated[bool, typer.Option("--keep", help="Keep other sets of earlier runs in the report.")] = False,
    rounds: Annotated[int, typer.Option(help="Rounds of frame times.", min=1)] = 20,
    rival: Rival = True,
    reuse_rival: Reuse = False,
    shared: Shared = None,
    place: Place = PLACE,
    docs: Docs = DOCS,
) -> None:
    """Quality, fit time and frame time on the real sets."""
    from benchmarks.learning.run import run

    typer.echo(run(shared_folder(shared), place / "learning", docs, sets.split(","), keep, rival, reuse_rival, rounds))


@app.command()
def labels(
    sets: Annotated[str, typer.Option(help="Which sets, separated by commas.")] = "casting,magnetic_tile",
    withheld: Annotated[bool, typer.Option(help="Also without each class's labels in turn.")] = True,
    shared: Shared = None,
    place: Place = PLACE,
    docs: Docs = DOCS,
) -> None:
    """What labelled defects teach, and what adding parts costs."""
    from benchmarks.learning.labels import run

    typer.echo(run(shared_folder(shared), place / "labels", docs, sets.split(","), withheld))


@app.command()
def drift(
    still: Annotated[int, typer.Option(help="Frames of a line that doesn't drift.", min=400)] = 600,
    each: Annotated[int, typer.Option(help="Frames of each cause.", min=40)] = 100,
    plays: Annotated[int, typer.Option(help="Sequences of each cause.", min=1)] = 25,
    place: Place = PLACE,
    docs: Docs = DOCS,
) -> None:
    """How soon drift is told, as what, and how often where there is none."""
    from benchmarks.drift import run

    typer.echo(run(place / "drift", docs, still, each, plays))


@app.command()
def viewer(
    few: Annotated[int, typer.Option(help="Parts stored at first.", min=500)] = 1000,
    many: Annotated[int, typer.Option(help="Parts stored then.", min=500)] = 100_000,
    presses: Annotated[int, typer.Option(help="Key presses of each kind.", min=1)] = 40,
    place: Place = PLACE,
    docs: Docs = DOCS,
) -> None:
    """Key press to next part drawn, and a large frame's zoom."""
    from benchmarks.viewer import run

    typer.echo(run(place / "viewer", docs, few, many, presses))


@app.command()
def service(
    rounds: Annotated[int, typer.Option(help="Laps of each server.", min=1)] = 10,
    press_s: Annotated[float, typer.Option(help="Seconds of each load; 0: none.", min=0)] = 15,
    shared: Shared = None,
    place: Place = PLACE,
    docs: Docs = DOCS,
) -> None:
    """What the service adds to a bare inspection, and what it does when too much comes."""
    from benchmarks.service.run import run

    typer.echo(run(shared_folder(shared), place / "service", docs, rounds, press_s))


@app.command()
def loop(
    rounds: Annotated[int, typer.Option(help="Laps with the training, and as many without.", min=1)] = 10,
    frames: Annotated[int, typer.Option(help="Frames in a lap.", min=1)] = 60,
    pace: Annotated[float, typer.Option(help="Seconds from frame to frame.", min=0)] = 0.1,
    place: Place = PLACE,
    docs: Docs = DOCS,
) -> None:
    """What retraining does to the line."""
    from benchmarks.loop import run

    typer.echo(run(place / "loop", docs, rounds, frames, pace))


@app.command()
def store(
    results: Annotated[int, typer.Option(help="Results in the large store.", min=1_000)] = 1_000_000,
    base: Annotated[int, typer.Option(help="Results in the small one.", min=1_000)] = 10_000,
    rounds: Annotated[int, typer.Option(help="Rounds in turn.", min=1)] = 9,
    place: Place = PLACE,
    docs: Docs = DOCS,
) -> None:
    """What a large store costs beside a small one."""
    from benchmarks.store.run import run

    typer.echo(run(place / "store", docs, results, base, rounds))


def main() -> None:
    try:
        app()
    except TrialsightError as error:
        print(f"benchmarks: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()
