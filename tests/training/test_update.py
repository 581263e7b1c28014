"""`train --update`: newly confirmed parts are added to a model without starting over."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from trialsight.card import Preparation
from trialsight.cli import app
from trialsight.errors import TrialsightError
from trialsight.inspector import Inspector
from trialsight.prepare import Preparer
from trialsight.recipe import DetectorSpec, Recipe
from trialsight_datasets.sample import ImageSet
from trialsight_training.detectors.table import DETECTORS
from trialsight_training.fit import fit
from trialsight_training.frames import prepared
from trialsight_training.progress import Progress
from trialsight_training.state import load_state, save_state, state_beside, unlearned

KNOWN = 7  # of the set's ten good parts


@pytest.mark.parametrize("name", DETECTORS)
def test_each_detector_goes_on_from_what_it_left_behind(
    name: str, bracket_set: ImageSet, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    recipe = replace(tiny_recipe, detector=DetectorSpec(name=name, bank_size=1000, steps=6))
    preparer = Preparer(Preparation(96, 96))
    defects = [sample for sample in bracket_set.test if not sample.is_good]
    first, rest = [*bracket_set.train[:KNOWN], *defects[:2]], [*bracket_set.train[KNOWN:], defects[2]]
    begun = fit(first, recipe, preparer, Progress())
    package = tmp_path / "1"
    assert save_state(replace(begun.state, graph_sha256="a" * 64), state_beside(package))
    state = load_state(package, "a" * 64)
    assert unlearned([*first, *rest], state) == rest

    grown = fit(rest, recipe, preparer, Progress(), state)
    assert (len(grown.scores), len(grown.defect_scores), grown.folds) == (10, 3, begun.folds)
    assert np.isfinite([*grown.scores, *grown.defect_scores]).all()
    assert len(grown.state.learned) == 13 and grown.state.learned.items() > begun.state.learned.items()
    assert grown.state.tensors.keys() >= begun.state.tensors.keys()
    shown = torch.from_numpy(np.stack(list(prepared([*bracket_set.train[KNOWN:], *bracket_set.test], preparer))))
    new, unseen = slice(0, 10 - KNOWN), slice(10 - KNOWN, None)
    with torch.no_grad():
        before, after = begun.model(shown)[1], grown.model(shown)[1]
    assert torch.isfinite(after).all()
    if name in ("patch_memory", "gaussian"):  # the others learn for too few steps here to be worth anything
        assert after[new].mean() < before[new].mean(), "the new parts are less news than before"
        is_good = torch.tensor([sample.is_good for sample in bracket_set.test])
        assert after[unseen][~is_good].mean() > after[unseen][is_good].max()


@pytest.fixture(scope="module")
def factory(bracket_set: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a model of KNOWN good parts, `tiny/1`, and its set beside it."""
    root = tmp_path_factory.mktemp("factory")
    shutil.copytree(bracket_set.root, root / "parts")
    recipe = root / "tiny.yaml"
    words = {"name": "tiny", "input": {"size_px": 96}, "detector": {"bank_size": 100}, "variants": []}
    recipe.write_text(yaml.safe_dump(words))
    run(root, "--data", root / "parts", "--recipe", recipe, "--good", KNOWN)
    return root


def run(root: Path, *words: object) -> dict[str, Any]:
    line = ["train", "--home", root / "home", "--json", *words]
    done = CliRunner().invoke(app, [str(word) for word in line], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_command_registers_a_version_that_says_what_it_grew_from(factory: Path) -> None:
    found = run(factory, "--data", factory / "parts", "--update", "tiny/1")
    assert (found["recipe"], found["version"], found["thresholds"]["promise"]["n"]) == ("tiny", "2", 10)
    first, second = (Inspector.load(factory / "home" / "packages" / "tiny" / one).card for one in "12")
    grown = second.provenance.grown_from
    assert grown is not None and first.provenance.grown_from is None
    assert (grown.graph_sha256, grown.mlflow_run_id) == (first.graph_sha256, first.provenance.mlflow_run_id)
    assert (grown.good, grown.defective) == (KNOWN, 0)
    assert len(second.calibration_scores) == 10 and len(second.golden) == 4
    assert second.preparation == first.preparation
    assert second.metrics["image_auroc"] == 1.0


def test_what_cannot_be_added_is_refused_and_registers_nothing(factory: Path, bracket_set: ImageSet) -> None:
    before = sorted((factory / "home" / "packages" / "tiny").iterdir())
    subset = factory / "known"
    shutil.copytree(factory / "parts" / "test", subset / "test")
    (subset / "train" / "good").mkdir(parents=True)
    for sample in bracket_set.train[:5]:
        shutil.copy(sample.path, subset / "train" / "good")
    with pytest.raises(TrialsightError, match="no part that the model hasn't learned"):
        run(factory, "--data", subset, "--update", "tiny/1")

    shutil.copytree(subset, factory / "relabelled")
    (factory / "relabelled" / "train" / "scratch").mkdir()
    moved = sorted((factory / "relabelled" / "train" / "good").iterdir())[0]
    moved.rename(factory / "relabelled" / "train" / "scratch" / moved.name)
    with pytest.raises(TrialsightError, match=r"learned as good and is now scratch.*can't be unlearned"):
        run(factory, "--data", factory / "relabelled", "--update", "tiny/1")

    alone = factory / "alone" / "tiny"
    shutil.copytree(factory / "home" / "packages" / "tiny" / "1", alone)
    with pytest.raises(TrialsightError, match="nothing to go on from"):
        run(factory, "--data", factory / "parts", "--update", alone)

    state = state_beside(alone)
    state.write_bytes(b"not tensors")
    with pytest.raises(TrialsightError, match=r"tiny\.state\.safetensors can't be read"):
        run(factory, "--data", factory / "parts", "--update", alone)
    assert sorted((factory / "home" / "packages" / "tiny").iterdir()) == before

    line = ["train", "--data", str(factory / "parts"), "--update", "tiny/1", "--recipe", "tiny"]
    refused = CliRunner().invoke(app, [*line, "--home", str(factory / "home")])
    assert refused.exit_code == 2 and "brings its recipe" in refused.output
