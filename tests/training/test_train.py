"""Training through its door on a small simulated set: package, registry, golden frames, failures."""

import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trialsight.card import Preparation
from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight.inspector import Inspector
from trialsight.prepare import Preparer
from trialsight.recipe import Recipe
from trialsight.verdict import Verdict
from trialsight_datasets import read_image_set
from trialsight_datasets.sample import ImageSet
from trialsight_training.export import TOLERANCE
from trialsight_training.fit import fit
from trialsight_training.progress import Progress
from trialsight_training.state import load_state
from trialsight_training.train import Trained, train_package


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def trained(bracket_set: ImageSet, home: Home, tiny_recipe: Recipe) -> Trained:
    return train_package(bracket_set, tiny_recipe, home, Progress())


def test_the_package_lies_in_the_home_and_finds_gross_defects(
    trained: Trained, home: Home, bracket_set: ImageSet
) -> None:
    assert trained.package == home.package("tiny", "1")
    inspector = Inspector.load(trained.package)
    found = {sample.part: inspector(sample.path.read_bytes()) for sample in bracket_set.test}
    for part, inspection in found.items():
        assert bool(inspection.regions) is (inspection.verdict is not Verdict.PASS), part
    metrics = trained.card.metrics
    assert (metrics["image_auroc"], metrics["image_ap"], metrics["escapes"]) == (1.0, 1.0, 0.0)
    assert (metrics["good"], metrics["defective"]) == (3.0, 5.0)
    assert (metrics["pixel_auroc"] or 0) > 0.9
    assert 0 < (metrics["aupro"] or 0) <= 1


def test_the_card_says_how_it_came_about(trained: Trained, bracket_set: ImageSet) -> None:
    card = trained.card
    assert card.provenance.dataset_sha256 == bracket_set.version()
    assert card.provenance.mlflow_run_id == trained.run_id
    assert len(card.calibration_scores) == card.promise.n == 10
    assert (card.promise.on_average, card.promise.confidence) == (pytest.approx(1 / 11), 0.95)
    assert card.promise.false_reject == pytest.approx(1 - 0.05**0.1)
    assert (card.preparation.width_px, card.preparation.frame_width_px) == (256, 256)
    assert card.detector["backbone"] == "shipped"
    assert card.judging.health is not None
    assert Inspector.load(trained.package).card == card


def test_golden_frames_are_right_and_of_both_kinds(trained: Trained) -> None:
    inspector = Inspector.load(trained.package)
    assert [frame.verdict for frame in trained.card.golden] == [Verdict.PASS] * 2 + [Verdict.REJECT] * 2
    for frame, data in zip(trained.card.golden, inspector.package.golden_frames(), strict=True):
        found = inspector(data)
        assert found.verdict is frame.verdict
        assert found.score == pytest.approx(frame.score, rel=TOLERANCE)


def test_the_registry_has_the_version_the_run_and_its_artifacts(trained: Trained, home: Home) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(home.tracking_uri)
    version = client.get_model_version("tiny", trained.version)
    assert (version.run_id, version.source) == (trained.run_id, f"runs:/{trained.run_id}/package")
    run = client.get_run(trained.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["image_auroc"] == trained.card.metrics["image_auroc"]
    assert run.data.params["detector.bank_size"] == "300"
    provenance = trained.card.provenance
    assert run.data.tags["dataset_sha256"] == provenance.dataset_sha256
    assert run.data.tags.get("mlflow.source.git.commit") == provenance.git_commit
    assert run.data.tags["environment.torch"] == provenance.versions["torch"]
    assert run.data.tags["environment.python"] == platform.python_version()
    assert run.data.metrics["seconds.features"] > 0 and run.data.metrics["memory_peak_mb"] > 100
    report = Path(client.download_artifacts(trained.run_id, "report.html")).read_text(encoding="utf-8")
    assert report == trained.report.read_text(encoding="utf-8")
    copy = Path(client.download_artifacts(trained.run_id, "package"))
    assert (copy / "model.onnx").read_bytes() == (trained.package / "model.onnx").read_bytes()
    assert Inspector.load(copy).card == trained.card


def test_the_same_seed_gives_the_same_detector(trained: Trained, bracket_set: ImageSet) -> None:
    again, other = (
        fit(bracket_set.train, replace(trained.recipe, seed=seed), Preparer(trained.card.preparation), Progress())
        for seed in (trained.recipe.seed, 9)
    )
    assert again.scores == trained.card.calibration_scores
    kept = load_state(trained.package, trained.card.graph_sha256).tensors
    assert kept.keys() == again.state.tensors.keys()
    assert all(torch.equal(kept[name], again.state.tensors[name]) for name in kept), "the same bank"
    assert other.scores != again.scores


def test_without_defective_parts_a_scarred_one_proves_the_model(
    bracket_set: ImageSet, home: Home, trained: Trained
) -> None:
    good = replace(bracket_set, test=())
    found = train_package(good, trained.recipe, home, Progress())
    assert found.version == "2"
    assert [frame.verdict for frame in found.card.golden] == [Verdict.PASS] * 2 + [Verdict.REJECT] * 2
    assert found.card.metrics["image_auroc"] is None
    assert found.card.metrics["aupro"] is None


def test_a_failed_run_is_marked_and_registers_nothing(
    bracket_set: ImageSet, home: Home, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    broken = tmp_path / "broken.png"
    broken.write_bytes(bracket_set.train[0].path.read_bytes()[:500])
    spoilt = replace(bracket_set, train=(*bracket_set.train, replace(bracket_set.train[0], path=broken)))
    with pytest.raises(TrialsightError, match=r"broken\.png"):
        train_package(spoilt, replace(tiny_recipe, name="failing"), home, Progress())
    client = MlflowClient(home.tracking_uri)
    (run,) = client.search_runs([client.get_experiment_by_name("failing").experiment_id])
    assert run.info.status == "FAILED"
    assert not client.search_registered_models("name = 'failing'")
    assert not list(home.packages.glob("failing/*")) and not list(home.packages.glob(".train-*"))


def test_too_few_good_parts_are_refused_before_anything_is_written(
    bracket_set: ImageSet, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(TrialsightError, match="4 good training parts are too few"):
        train_package(bracket_set.first_good(4), tiny_recipe, Home(tmp_path / "home"), Progress())
    assert not (tmp_path / "home").exists()


Pixels = Callable[[NDArray[np.uint8]], NDArray[np.generic]]


def as_16_bit(frame: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return frame.astype(np.uint16) * 257


def as_gray(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)


def as_rgba(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA), np.uint8)


@pytest.mark.parametrize("pixels", [as_gray, as_16_bit, as_rgba])
def test_any_kind_of_pixels_can_be_learnt(pixels: Pixels, make_set: Callable[..., Path], tiny_recipe: Recipe) -> None:
    samples = read_image_set(make_set(good=5, pixels=pixels)).train
    plain = read_image_set(make_set(good=5)).train
    preparer = Preparer(Preparation(96, 64))
    fitted = fit(samples, tiny_recipe, preparer, Progress())
    assert all(np.isfinite(score) and score > 0 for score in fitted.scores)
    if pixels is not as_gray:
        assert fitted.scores == fit(plain, tiny_recipe, preparer, Progress()).scores
