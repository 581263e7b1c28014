"""`trialsight train`, `trialsight evaluate` and `trialsight compare`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from trialsight_training.bootstrap import Difference

Data = Annotated[Path, typer.Option("--data", help="Folder of the image set.")]
HomeFolder = Annotated[Path | None, typer.Option("--home", help="Folder of all that Trialsight writes.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]


def train(
    data: Data,
    recipe: Annotated[
        str | None, typer.Option(help="Recipe file, or a name in configs/recipes; left out: made from the set.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Backbone weights: a path, `shipped`, `hub` or `random`; else the recipe's.")
    ] = None,
    good: Annotated[int | None, typer.Option(help="Learn from only so many good parts.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all that is drawn by lot; else the recipe's.")] = None,
    update: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Go on from this model, a folder or RECIPE/VERSION: only parts that it hasn't learned are looked at.",
        ),
    ] = None,
    search: Annotated[
        bool, typer.Option("--search", help="First try detectors, layers, sizes and augmentations; keep the best.")
    ] = False,
    minutes: Annotated[float, typer.Option(help="How long to search; the same command again goes on.", min=0)] = 10.0,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Start a new variant from this model of an older one; --data may be a folder of good pictures.",
        ),
    ] = None,
    organisation: Annotated[str, typer.Option(help="Whose model it is, where several share one service.")] = "default",
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Learn a product from its good parts, measure it, and register a model version."""
    import json

    from trialsight.home import Home
    from trialsight.package import RECIPE
    from trialsight_datasets import read_image_set
    from trialsight_training.choose import choose_package, choose_recipe

    if start is not None and (update is not None or search):
        raise typer.BadParameter("--from starts another variant: it goes with neither --update nor --search")
    if update is not None and (search or (recipe, weights, good, seed) != (None, None, None, None)):
        raise typer.BadParameter("the model brings its recipe, weights and seed, and keeps the parts that it learned")
    where = Home.at(home)
    folder = None if update is None else choose_package(update, where)
    chosen = choose_recipe(recipe if folder is None else str(folder / RECIPE), data, weights, seed)
    found = read_image_set(data, good=good) if start is None else None
    # torch takes seconds to import: what is wrong with the words above is told before.
    from trialsight_training.ancestor import good_parts, load_ancestor
    from trialsight_training.progress import Progress
    from trialsight_training.train import train_package
    from trialsight_training.update import load_base

    base = None if folder is None else load_base(folder)
    ancestor = None if start is None else load_ancestor(start, choose_package(start, where), chosen, where)
    image_set = found or good_parts(data)
    searched = {}
    if search:
        from trialsight_training.search.run import Search

        best = Search(image_set, chosen, where, Progress())(minutes)
        chosen, searched = best.recipe, {"search": best.to_json()}
    trained = train_package(image_set, chosen, where, Progress(), organisation, base, ancestor)
    result = trained.to_json() | searched
    if as_json:
        typer.echo(json.dumps(result))
        return
    thresholds = result["thresholds"]
    _table(
        f"{trained.recipe.name} version {trained.version}",
        {
            **result["metrics"],
            "t1": thresholds["t1"],
            "t2": thresholds["t2"],
            "promise": str(trained.card.promise),
            "seconds": result["seconds"]["total"],
            "package": result["package"],
            "report": result["report"],
        },
    )


def evaluate(
    package: Annotated[str, typer.Argument(help="Folder of a model package, or RECIPE/VERSION in the home.")],
    data: Data,
    report: Annotated[
        Path | None, typer.Option(help="Write the measurements and the worst cases as an HTML file.")
    ] = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Measure any model package on a labelled image set."""
    import json

    from trialsight.files import write_atomic
    from trialsight.home import Home
    from trialsight.inspector import Inspector
    from trialsight_training.choose import choose_package, measured_set
    from trialsight_training.evaluate import evaluate_package
    from trialsight_training.progress import Progress
    from trialsight_training.report import evaluation_report

    folder = choose_package(package, Home.at(home))
    inspector = Inspector.load(folder, threads=2)
    image_set = measured_set(data)
    with Progress().task("evaluation", 2 * len(image_set.test)) as step:
        evaluation = evaluate_package(inspector, image_set.test, step)
    if report is not None:
        page = evaluation_report(package, inspector.card, evaluation, image_set, image_set.version())
        write_atomic(report, page.encode())
    if as_json:
        result = {
            "package": str(folder),
            "recipe": inspector.card.recipe,
            "metrics": evaluation.metrics,
            "classes": [one.to_json() for one in evaluation.classes],
        }
        typer.echo(json.dumps(result | ({} if report is None else {"report": str(report)})))
    else:
        _table(str(folder), evaluation.metrics)


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="The model to compare with: a folder, or RECIPE/VERSION.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    data: Data,
    margin: Annotated[
        float | None,
        typer.Option(help="Exit with 3 unless B's image AUROC is sure to lie no more than this below A's.", min=0),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the differences and disagreements as an HTML file.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Keep it in the registry: the gate asks for it when B is promoted over A.")
    ] = False,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Measure two models on the same parts: differences with intervals, and where the verdicts part."""
    import json

    from trialsight.files import write_atomic
    from trialsight.home import Home
    from trialsight.inspector import Inspector
    from trialsight_datasets import read_image_set
    from trialsight_training.champion import compared_of, keep_compared, versions_of
    from trialsight_training.choose import choose_package, measured_set
    from trialsight_training.compare import compare as compare_evaluations
    from trialsight_training.evaluate import evaluate_package
    from trialsight_training.progress import Progress
    from trialsight_training.report import comparison_report
    from trialsight_training.track import open_client

    folders = choose_package(a, Home.at(home)), choose_package(b, Home.at(home))
    versions = versions_of(a, b, Home.at(home), folders) if record else None
    inspectors = [Inspector.load(folder, threads=2) for folder in folders]
    image_set = read_image_set(data) if record else measured_set(data)  # that there are no test parts is a finding too
    progress = Progress()
    evaluations = []
    for name, inspector in zip((a, b), inspectors, strict=True):
        with progress.task(name, 2 * len(image_set.test)) as step:
            evaluations.append(evaluate_package(inspector, image_set.test, step))
    found = compare_evaluations(*evaluations)
    holds = None if margin is None else found.keeps(margin)
    cards = (inspectors[0].card, inspectors[1].card)
    if report is not None:
        write_atomic(report, comparison_report((a, b), cards, found, image_set, margin).encode())
    if versions is not None:
        keep_compared(open_client(Home.at(home)), *versions, compared_of(found, *cards, image_set.version()))
    if as_json:
        typer.echo(json.dumps({"a": a, "b": b, "margin": margin, "holds": holds, **found.to_json()}))
    else:
        _compared(a, b, found.differences)
    if holds is False:
        raise typer.Exit(3)


def _compared(a: str, b: str, differences: "Sequence[Difference]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "A", "B", "B - A", "95 % interval", title=f"A {a}, B {b}", title_justify="left")
    for one in differences:
        interval = "-" if one.low is None else f"{one.low:+.4f} to {one.high:+.4f}"
        table.add_row(one.name, f"{one.a:.4f}", f"{one.b:.4f}", f"{one.difference:+.4f}", interval)
    Console(soft_wrap=True).print(table)


def _table(title: str, rows: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_header=False)
    for name, value in rows.items():
        text = "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
        table.add_row(name, text)
    Console(soft_wrap=True).print(table)
