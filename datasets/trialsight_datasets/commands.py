"""`trialsight data …`: simulate an image set, check one, keep its versions, take it to another tool and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from trialsight_datasets.check import Report

app = typer.Typer(
    help="Simulate, check, version and convert image sets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Where = Annotated[Path | None, typer.Option("--home", help="Folder that holds everything; else TRIALSIGHT_HOME.")]
Folder = Annotated[Path, typer.Argument(help="Folder of an image set, or the file of a set version.")]
MOST_LINES = 12
LAYOUT = "auto, mvtec, visa, folders, kolektor, coco, yolo, labelme or supervisely."
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not exist.")],
    good: Annotated[int, typer.Option(help="Good parts to train on.")] = 20,
    test_good: Annotated[int, typer.Option(help="Good parts to test on.")] = 10,
    defects: Annotated[int, typer.Option(help="Defective parts of each kind to test on.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same images.")] = 0,
    size: Annotated[
        int | None, typer.Option(help="Side of the square images in pixels; else 512, or the line's.")
    ] = None,
    severity: Annotated[float, typer.Option(min=0, max=1, help="0: hard to see, 1: gross.")] = 0.7,
    line: Annotated[Path | None, typer.Option(help="A virtual line's YAML file; else the demo's plate.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a simulated product in the MVTec layout: good parts, and defects with exact masks."""
    import json

    from trialsight_datasets.simulate.dataset import Plan, write_simulated
    from trialsight_datasets.simulate.line import load_line

    plan = Plan(good, test_good, defects, seed, size, severity, None if line is None else load_line(line))
    with _progress("simulating", plan.total) as advance:
        image_set = write_simulated(out, plan, advance)
    summary = {"root": str(image_set.root), "counts": image_set.counts(), "version": image_set.version(), "seed": seed}
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
    else:
        typer.echo(f"{len(image_set)} images in {image_set.root}: {_counts(image_set.counts())}")


@app.command()
def paste(
    folder: Folder,
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not exist.")],
    kind: Annotated[list[str] | None, typer.Option(help="scratch, dent or stain; all three if left out.")] = None,
    examples: Annotated[Path | None, typer.Option("--from", help="A set whose labelled defects are laid in.")] = None,
    each: Annotated[int, typer.Option(min=1, help="Defective pictures of each kind.")] = 10,
    severity: Annotated[tuple[float, float], typer.Option(help="Lowest and highest of what is painted.")] = (0.3, 0.9),
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same pictures.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Lay defects on photographs of good parts, with exact masks, to prove a recipe before the first bad part."""
    import json

    from trialsight_datasets.paste import Pasting, total, write_pasted
    from trialsight_datasets.read import read_image_set
    from trialsight_datasets.simulate.photo import PHOTO_KINDS

    good = read_image_set(folder)
    donors = None if examples is None else read_image_set(examples)
    plan = Pasting(tuple(kind) if kind else PHOTO_KINDS, each, severity, seed)
    with _progress("pasting", total(good, plan, donors)) as advance:
        made = write_pasted(good, out, plan, donors, advance)
    if as_json:
        typer.echo(json.dumps({"root": str(made.root), "counts": made.counts(), "version": made.version()}))
    else:
        typer.echo(f"{len(made)} images in {made.root}: {_counts(made.counts())}")


@app.command()
def check(
    folder: Folder,
    layout: Annotated[str, typer.Option(help=LAYOUT)] = "auto",
    page: Annotated[Path | None, typer.Option("--report", help="Write it as an HTML page with pictures.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read every file of an image set and list all that is wrong with it; exit code 1 if anything is.

    What looks odd, but may be right, is listed as well and is no fault.
    """
    import json

    from trialsight_datasets.check import check_image_set
    from trialsight_datasets.read import list_image_set

    image_set, listed = list_image_set(folder, layout)
    with _progress("checking", len(image_set)) as advance:
        report = check_image_set(image_set, listed, advance)
    if page is not None:
        from trialsight_datasets.check_page import write_page

        write_page(report, page)
    if as_json:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        _print(report)
    if report.problems:
        raise typer.Exit(1)


@app.command("import")
def import_(
    folder: Folder,
    home: Where = None,
    name: Annotated[str | None, typer.Option(help="The set's name; else the folder's.")] = None,
    layout: Annotated[str, typer.Option(help=LAYOUT)] = "auto",
    as_json: AsJson = False,
) -> None:
    """Keep a set as a version in the home: its content by checksum, for training from and for comparing with."""
    import json

    from trialsight.home import Home
    from trialsight_datasets.library import Library, set_name
    from trialsight_datasets.read import read_image_set

    image_set = read_image_set(folder, layout)
    with _progress("importing", len(image_set)) as advance:
        manifest, path = Library(Home.at(home).sets).add(image_set, name or set_name(image_set.name), step=advance)
    if as_json:
        counts = image_set.counts()
        typer.echo(
            json.dumps({"name": manifest.name, "version": manifest.version, "path": str(path), "counts": counts})
        )
    else:
        typer.echo(f"{manifest.name}@{manifest.version[:12]}: {_counts(image_set.counts())}")
        typer.echo(f"train from it: trialsight train --data {path}")


@app.command()
def label(
    base: Annotated[str, typer.Argument(help="Folder, file of a set version, or NAME@VERSION.")],
    decisions: Annotated[Path, typer.Argument(help="JSON lines of image, part, label, view and mask.")],
    home: Where = None,
    name: Annotated[str | None, typer.Option(help="The set's name; else the base's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the next version of a set from what people decided, as `trialsight labels` writes it."""
    import json

    from trialsight.home import Home
    from trialsight_datasets.decided import read_decided, with_decided
    from trialsight_datasets.library import Library, set_name
    from trialsight_datasets.manifest import compare, make_manifest
    from trialsight_datasets.read import read_image_set

    image_set, decided = read_image_set(_located(base, home)), read_decided(decisions)
    before = make_manifest(image_set.name, [sample.entry() for sample in image_set])
    with _progress("labelling", len(decided)) as advance:
        after = with_decided(image_set, decided, advance)
    library = Library(Home.at(home).sets)
    manifest, path = library.add(after, name or set_name(image_set.name), before.version)
    found = compare(before, manifest)
    if as_json:
        summary = {"name": manifest.name, "version": manifest.version, "path": str(path), "counts": after.counts()}
        typer.echo(json.dumps(summary | {"parent": before.version, **found.to_json()}, ensure_ascii=False))
    else:
        typer.echo("\n".join([f"{manifest.name}@{manifest.version[:12]}: {_counts(after.counts())}", *found.lines()]))


@app.command()
def export(
    data: Annotated[str, typer.Argument(help="Folder of an image set, file of a set version, or NAME@VERSION.")],
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not exist.")],
    layout: Annotated[str, typer.Option(help=LAYOUT)] = "mvtec",
    home: Where = None,
    as_json: AsJson = False,
) -> None:
    """Write a set in another tool's layout. What that layout can't say is told."""
    import json
    from dataclasses import asdict

    from trialsight_datasets.export import export_image_set
    from trialsight_datasets.read import read_image_set

    image_set = read_image_set(_located(data, home))
    with _progress("exporting", len(image_set)) as advance:
        done = export_image_set(image_set, layout, out, advance)
    if as_json:
        typer.echo(json.dumps(asdict(done) | {"folder": str(done.folder)}, ensure_ascii=False))
    else:
        typer.echo(f"{done.images} images in {done.folder} ({done.layout} layout)")
        for reason, count in done.lost.items():
            typer.echo(f"lost: {reason} ({count} images)")


@app.command()
def versions(
    name: Annotated[str | None, typer.Argument(help="Only this set's.")] = None,
    home: Where = None,
    as_json: AsJson = False,
) -> None:
    """List the set versions that the home holds, the oldest first."""
    import json

    from trialsight.home import Home
    from trialsight_datasets.library import Library, read_version

    library = Library(Home.at(home).sets)
    found = [
        (path, read_version(path)) for one in ([name] if name else library.names()) for path in library.versions(one)
    ]
    if as_json:
        rows = [
            {"name": m.name, "version": m.version, "parent": m.parent, "images": len(m.entries), "path": str(path)}
            for path, m in found
        ]
        typer.echo(json.dumps(rows))
        return
    for _, manifest in found:
        good = sum(entry.label == "good" for entry in manifest.entries)
        typer.echo(f"{manifest.name}@{manifest.version[:12]}  {good} good, {len(manifest.entries) - good} defective")
    if not found:
        typer.echo(f"no set versions in {library.root}; make one: trialsight data import FOLDER")


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="Folder, file of a set version, or NAME@VERSION.")],
    after: Annotated[str, typer.Argument(help="The same, the later one.")],
    home: Where = None,
    as_json: AsJson = False,
) -> None:
    """What differs between two versions: images more and less, other labels, masks or splits."""
    import json

    from trialsight_datasets.manifest import compare, make_manifest
    from trialsight_datasets.read import read_image_set

    sets = [read_image_set(_located(one, home)) for one in (before, after)]
    found = compare(*(make_manifest(one.name, [sample.entry() for sample in one]) for one in sets))
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        typer.echo("\n".join(found.lines()) if not found.none else "no difference")


def _located(spelled: str, home: Path | None) -> Path:
    """A path that exists, else a version in the home's library."""
    from trialsight.home import Home
    from trialsight_datasets.library import NAME, Library

    path = Path(spelled).expanduser()
    if path.exists() or not NAME.fullmatch(spelled.partition("@")[0]):
        return path
    return Library(Home.at(home).sets).find(spelled)


def _print(report: "Report") -> None:
    image_set = report.image_set
    sizes = ", ".join(f"{size} ({count})" for size, count in list(report.sizes_px.items())[:4])
    more = f" and {len(report.sizes_px) - 4} more" if len(report.sizes_px) > 4 else ""
    typer.echo(f"{image_set.root} ({image_set.layout} layout): {_counts(image_set.counts())}")
    typer.echo(f"masks for {report.masks} defective parts; sizes {sizes}{more}")
    for problem in report.problems:
        typer.echo(f"problem: {problem}")
    for suspicion in report.suspicions[:MOST_LINES]:
        typer.echo(f"look at: {suspicion.sample.path}: {suspicion.what}")
    if len(report.suspicions) > MOST_LINES:
        typer.echo(f"look at: {len(report.suspicions) - MOST_LINES} more, see --report FILE.html")
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
