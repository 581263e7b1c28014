"""`trialsight train` and `trialsight evaluate`."""

from pathlib import Path
from typing import Annotated, Any

import typer

Data = Annotated[Path, typer.Option("--data", help="Folder of the image set.")]
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
    home: Annotated[Path | None, typer.Option(help="Folder of all that Trialsight writes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Learn a product from its good parts, measure it, and register a model version."""
    import json

    from trialsight.home import Home
    from trialsight_datasets import read_image_set
    from trialsight_training.choose import choose_recipe

    chosen = choose_recipe(recipe, data, weights, seed)
    image_set = read_image_set(data, good=good)
    # torch takes seconds to import: what is wrong with the words above is told before.
    from trialsight_training.progress import Progress
    from trialsight_training.train import train_package

    trained = train_package(image_set, chosen, Home.at(home), Progress())
    result = trained.to_json()
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
        },
    )


def evaluate(
    package: Annotated[Path, typer.Argument(help="Folder of a model package.")],
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Measure any model package on a labelled image set."""
    import json

    from trialsight.errors import TrialsightError
    from trialsight.inspector import Inspector
    from trialsight_datasets import read_image_set
    from trialsight_training.evaluate import evaluate_package
    from trialsight_training.progress import Progress

    inspector = Inspector.load(package, threads=2)
    samples = read_image_set(data).test
    if not samples:
        raise TrialsightError(f"{data} has no test parts", "give a set with a test split")
    with Progress().task("evaluation", 2 * len(samples)) as step:
        metrics = evaluate_package(inspector, samples, step).metrics
    if as_json:
        typer.echo(json.dumps({"package": str(package), "recipe": inspector.card.recipe, "metrics": metrics}))
    else:
        _table(str(package), metrics)


def _table(title: str, rows: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_header=False)
    for name, value in rows.items():
        text = "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
        table.add_row(name, text)
    Console(soft_wrap=True).print(table)
