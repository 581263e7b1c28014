"""`train --search`: trials within a budget, resumed in the same home, the best one trained and registered."""

import json
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FixedTrial, TrialState
from typer.testing import CliRunner

from trialsight.cli import app
from trialsight.home import Home
from trialsight.recipe import DetectorSpec, Input, Recipe, load_recipe
from trialsight_datasets.sample import ImageSet
from trialsight_training.progress import Progress
from trialsight_training.search.run import Search
from trialsight_training.search.space import suggest


@pytest.mark.parametrize(
    ("recipe", "chosen", "side", "layers"),
    [
        (Recipe("a"), {"detector": "gaussian"}, 384, ()),
        (Recipe("a", input=Input(800)), {"detector": "patch_memory", "bank_size": 500}, 1024, ()),
        (
            Recipe("a", detector=DetectorSpec(backbone="resnet18", weights="random")),
            {"detector": "discriminator", "layers": "layer1+2"},
            384,
            ("layer1", "layer2"),
        ),
    ],
)
def test_a_trial_is_a_recipe(recipe: Recipe, chosen: dict[str, Any], side: int, layers: tuple[str, ...]) -> None:
    words = {"side": 1.5, "copies": 1, "rotation_deg": 5.0, "brightness": 0.0} | chosen
    found = suggest(FixedTrial(words), recipe, labelled=chosen["detector"] == "discriminator")
    assert (found.detector.name, found.input.size_px, found.detector.layers) == (chosen["detector"], side, layers)
    assert (found.augment.copies, found.augment.rotation_deg) == (1, 5.0)
    assert found.calibration == recipe.calibration


def test_a_search_goes_on_where_it_was_stopped_and_trains_the_best(bracket_set: ImageSet, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    recipe, home = tmp_path / "tiny.yaml", Home(tmp_path / "home")
    words = {"name": "tiny", "input": {"size_px": 64}, "detector": {"bank_size": 60, "steps": 2}, "variants": []}
    recipe.write_text(yaml.safe_dump(words))
    first = Search(bracket_set, load_recipe(recipe), home, Progress())(minutes=0)
    assert first.trials == 1 and 0 < first.value <= 1
    assert first.recipe.detector.name == "patch_memory", "what the recipe says is tried first"

    storage = JournalStorage(JournalFileBackend(str(home.searches / "tiny" / "trials.log")))
    (name,) = optuna.get_all_study_names(storage)
    study = optuna.load_study(study_name=name, storage=storage)
    study.ask()  # as a search leaves it that is killed during a trial
    second = run(home, bracket_set.root, recipe, minutes=0.01)
    trials = optuna.load_study(study_name=name, storage=storage).trials
    assert [one.state for one in trials[:2]] == [TrialState.COMPLETE, TrialState.FAIL]
    assert len(trials) == second["search"]["trials"] >= 3
    assert second["search"]["objective"] == max(one.value for one in trials if one.value is not None)
    assert (second["recipe"], second["version"]) == ("tiny", "1")
    best = load_recipe(home.searches / "tiny" / "best.yaml")
    assert best.to_json() == second["search"]["recipe"]
    assert load_recipe(Path(second["package"]) / "recipe.yaml").detector == best.detector

    client, parent = MlflowClient(home.tracking_uri), second["search"]["run_id"]
    assert parent == first.run_id
    experiment = client.get_experiment_by_name("tiny").experiment_id
    nested = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    assert len(nested) == len(trials) - 1 and {one.info.status for one in nested} == {"FINISHED"}
    assert all("objective" in one.data.metrics and "detector" in one.data.params for one in nested)
    assert client.get_run(parent).data.metrics["trials"] == len(trials)


def run(home: Home, data: Path, recipe: Path, minutes: float) -> dict[str, Any]:
    line = [
        "train",
        "--data",
        data,
        "--recipe",
        recipe,
        "--home",
        home.root,
        "--search",
        "--minutes",
        minutes,
        "--json",
    ]
    done = CliRunner().invoke(app, [str(word) for word in line], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
