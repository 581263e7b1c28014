"""A new version beside the champion of now, on the same test parts; kept with the version for the gate to read."""

import json
from pathlib import Path
from typing import Any

from trialsight.card import Card
from trialsight.compared import Compared, Pair, tag_of
from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight.inspector import Inspector
from trialsight.package import CARD
from trialsight_training.compare import Comparison, compare
from trialsight_training.evaluate import Evaluation, evaluate_package
from trialsight_training.progress import Progress
from trialsight_training.track import explained

CHAMPION = "champion"


def compared_of(found: Comparison, champion: Card, version: Card, set_version: str) -> Compared:
    """`found`: the champion as A, the version as B."""
    pairs: dict[str, Pair] = {one.name: (one.a, one.b) for one in found.differences}
    good = sum(one.sample.is_good for one in found.b.judged)
    return Compared(
        champion_graph=champion.graph_sha256,
        graph=version.graph_sha256,
        set_version=set_version,
        good=good,
        defective=len(found.b.judged) - good,
        image_auroc=pairs.get("image_auroc"),
        escape_rate=pairs.get("escape_rate"),
        false_reject_rate=pairs.get("false_reject_rate"),
    )


def compare_with_champion(
    client: Any, home: Home, model: str, version: str, card: Card, evaluation: Evaluation, progress: Progress
) -> Compared | None:
    """Of a version that was just measured; None without a champion, or without its package in this home.

    `client`: an mlflow.MlflowClient. `model`: as it is called in the registry.
    """
    champion = _champion(client, model)
    if champion is None or champion == version:
        return None
    folder = home.package(model, champion)
    if not (folder / CARD).is_file():
        progress.note(f"not compared with champion {champion}: its package is not in {home.packages}")
        return None
    inspector = Inspector.load(folder, threads=2)
    samples = [one.sample for one in evaluation.judged]
    try:
        with progress.task("champion", 2 * len(samples)) as step:
            theirs = evaluate_package(inspector, samples, step)
        found = compared_of(compare(theirs, evaluation), inspector.card, card, card.provenance.dataset_sha256)
    except TrialsightError as error:
        progress.note(f"champion {champion} can't judge these parts: {error.problem}")
        graphs = (inspector.card.graph_sha256, card.graph_sha256)
        found = Compared(*graphs, card.provenance.dataset_sha256, 0, 0, problem=error.problem)
    keep_compared(client, model, champion, version, found)
    return found


def keep_compared(client: Any, model: str, champion: str, version: str, found: Compared) -> None:
    """As a tag of the version in the registry, where whoever promotes it finds it."""
    with explained(client.tracking_uri):
        client.set_model_version_tag(model, version, tag_of(champion), json.dumps(found.to_json()))


def versions_of(a: str, b: str, home: Home, folders: tuple[Path, Path]) -> tuple[str, str, str]:
    """The model and its two versions that `compare --record A B` names. Raises TrialsightError where they aren't two
    versions of one model in this home."""
    model, _, champion = a.partition("/")
    other, _, version = b.partition("/")
    if model != other or folders != (home.package(model, champion), home.package(model, version)):
        raise TrialsightError(
            f"{a} and {b} are not two versions of one model in {home.root}",
            "--record takes RECIPE/VERSION twice, the champion first",
        )
    return model, champion, version


def _champion(client: Any, model: str) -> str | None:
    with explained(client.tracking_uri):
        found = client.get_registered_model(model).aliases or {}
    return None if CHAMPION not in found else str(found[CHAMPION])
