"""Variants of a trained package: what is offered keeps the promise, and what can't is left out with the reason."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trialsight import Inspector, PackageError, Thresholds, Verdict
from trialsight.card import Card
from trialsight.engines import installed_engines
from trialsight.home import Home
from trialsight.package import load_package
from trialsight.recipe import Recipe
from trialsight_datasets.sample import ImageSet, Sample
from trialsight_training.evaluate import Judged
from trialsight_training.progress import Progress
from trialsight_training.train import Trained, train_package
from trialsight_training.variants.gate import Tried, weigh


@pytest.fixture(scope="module")
def trained(bracket_set: ImageSet, tiny_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    recipe = replace(tiny_recipe, variants=("fp16", "int8", "bf16"))
    return train_package(bracket_set, recipe, Home(tmp_path_factory.mktemp("home")), Progress())


NAMES = [
    "fp16",
    "int8",
    pytest.param(
        "bf16", marks=pytest.mark.skipif("openvino" not in installed_engines(), reason="OpenVINO is not installed")
    ),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_variant_gives_its_golden_frames_the_verdicts_and_the_scores_of_its_card(trained: Trained, name: str) -> None:
    inspector = Inspector.load(trained.package, variant=name)
    assert name in inspector.runtime
    assert len(inspector.card.golden) == 4
    for frame, data in zip(inspector.card.golden, inspector.package.golden_frames(), strict=True):
        found = inspector(data)
        assert found.verdict is frame.verdict
        assert found.score == pytest.approx(frame.score, rel=1e-3)
        assert found.thresholds == inspector.card.thresholds


@pytest.mark.parametrize("name", NAMES)
def test_a_variant_says_what_it_costs(trained: Trained, name: str) -> None:
    variant = next(one for one in trained.card.variants if one.name == name)
    assert variant.metrics["image_auroc"] == 1.0
    assert variant.metrics["image_auroc_difference"] == 0.0
    assert variant.metrics["frames"] == 18
    assert 0 < (variant.metrics["map_difference"] or 0) < {"fp16": 0.01, "int8": 0.25, "bf16": 0.1}[name]
    assert (variant.metrics["verdict_agreement"] or 0) >= 0.8
    assert abs(variant.metrics["good_score_noise"] or 0) <= 0.25


def test_fp16_is_half_the_size_and_int8_smaller_still(trained: Trained) -> None:
    size = {one.name: one.bytes for one in trained.card.variants}
    whole = (trained.package / "model.onnx").stat().st_size
    assert size["fp16"] < 0.55 * whole
    assert size["int8"] < size["fp16"]


def test_an_altered_variant_is_found_when_the_package_is_loaded(trained: Trained, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(trained.package, copy)
    with (copy / "int8.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(PackageError, match=r"int8.onnx was altered"):
        load_package(copy)


def test_an_unknown_variant_is_refused_by_name(trained: Trained) -> None:
    with pytest.raises(PackageError, match=r"has no variant int4 \(it has fp32, fp16, int8"):
        Inspector.load(trained.package, variant="int4")


def judged(score: float | None, good: bool = True) -> Judged:
    sample = Sample(part="p", path=Path("p.png"), label="good" if good else "crack", split="test", mask_path=None)
    verdict = Verdict.NO_VERDICT if score is None else Verdict.PASS
    return Judged(sample, verdict, score, None if score is None else np.full((2, 2), score, np.float32), (8, 8))


def tried(before: float, after: float | None, good: bool = True) -> Tried:
    return Tried(judged(before, good), judged(after, good))


HELD_OUT = [0.8 + 0.01 * index for index in range(20)]  # median 0.895
DEFECTS = [tried(2.0, 2.0, good=False), tried(0.99, 0.99, good=False)]


@pytest.mark.parametrize(
    ("changes", "defects", "problem"),
    [
        ([0.0] * 20, DEFECTS, None),
        ([0.3] * 20, DEFECTS, None),  # all alike: the thresholds move along
        ([-0.04, 0.04] * 10, DEFECTS, "stray by"),
        ([0.0] * 20, [tried(2.0, 0.1, good=False)] * 2, "AUROC"),
        ([0.0] * 15 + [0.015] * 5, [], "promise"),
    ],
    ids=["the same", "shifted", "noisy", "blind", "more good parts rejected"],
)
def test_a_variant_that_cannot_keep_the_promise_is_refused(
    trained: Trained, changes: list[float], defects: list[Tried], problem: str | None
) -> None:
    card = with_thresholds(trained.card, HELD_OUT)
    train = [tried(0.5, 0.5 + change) for change in changes]
    shown = weigh(card, HELD_OUT, train, [*train, *defects])
    assert (shown.problem is None) if problem is None else problem in (shown.problem or "")
    assert shown.thresholds.t2 - card.thresholds.t2 == pytest.approx(0.3 if changes[0] == 0.3 else 0.0, abs=0.1)


def test_a_variant_that_gives_no_verdict_where_fp32_does_is_refused(trained: Trained) -> None:
    shown = weigh(with_thresholds(trained.card, HELD_OUT), [0.8], [tried(0.5, None)], [])
    assert "no verdict on p.png" in (shown.problem or "")


def with_thresholds(card: Card, held_out: list[float]) -> Card:
    top = max(held_out)
    return replace(card, thresholds=Thresholds(top - 0.02, top, top - 0.02), calibration_scores=tuple(held_out))
