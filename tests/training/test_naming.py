"""Labelled defects of two classes teach a model to name them, and rules about a class fire: by the commands alone."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from trialsight import Inspector
from trialsight.cli import app
from trialsight.detector import Detector
from trialsight.engines import installed_engines
from trialsight.inspector import Inspection
from trialsight.naming import UNNAMED
from trialsight.package import RECIPE, load_package
from trialsight.recipe import load_recipe
from trialsight_datasets import read_image_set
from trialsight_datasets.simulate.dataset import Plan, write_simulated
from trialsight_training.fit import fit
from trialsight_training.naming.floor import _floor, _Seen
from trialsight_training.progress import Progress
from trialsight_training.state import unlearned
from trialsight_training.update import load_base

LABELLED, LATER = ("scratch", "stain"), "dent"
EACH = 4  # labelled parts of each kind; as many others are tested
RULES = [
    {"name": "any scratch", "defect_class": "scratch"},
    {
        "name": "stains to 50 mm",
        "defect_class": "stain",
        "where": [{"measure": "length_mm", "below": 50}],
        "at_most": 9,
    },
    {"name": "any dent", "defect_class": LATER},
]


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set `parts` whose training split has labelled defects, some nobody gave a class, and a recipe with rules."""
    root = tmp_path_factory.mktemp("named")
    parts, recipe = root / "parts", root / "plate.yaml"
    write_simulated(parts, Plan(good=10, test_good=3, defects=2 * EACH, seed=4, size_px=256, severity=0.9))
    for kind in ("missing_hole", "chip", LATER):
        for split in ("test", "ground_truth"):
            shutil.move(parts / split / kind, root / "kept" / split / kind)
    for kind in LABELLED:
        label(parts, kind)
    shutil.copytree(root / "kept" / "test" / "chip", parts / "train" / UNNAMED)
    words: dict[str, Any] = {"name": "plate", "input": {"size_px": 160}, "detector": {"bank_size": 500}, "rules": RULES}
    words["view"] = {"width_px": 256, "height_px": 256, "scale": {"mm_per_px": 0.5}}
    recipe.write_text(yaml.safe_dump(words | {"variants": ["int8"]}))
    return root


def label(parts: Path, kind: str) -> None:
    """Move a half of the kind's parts to the training split."""
    (parts / "train" / kind).mkdir()
    for number in range(EACH):
        (parts / "test" / kind / f"{number:03d}.jpg").rename(parts / "train" / kind / f"l{number:03d}.jpg")
        masks = parts / "ground_truth" / kind
        (masks / f"{number:03d}_mask.png").rename(masks / f"l{number:03d}_mask.png")


def train(root: Path, *words: object) -> tuple[dict[str, Any], str]:
    line = ["train", "--data", root / "parts", "--home", root / "home", "--json", *words]
    done = CliRunner().invoke(app, [str(word) for word in line], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def inspected(package: str, root: Path, kind: str, variant: str = "fp32") -> list[Inspection]:
    inspect = Inspector.load(package, variant=variant)
    return [inspect(path.read_bytes()) for path in sorted((root / "parts" / "test" / kind).iterdir())]


@pytest.fixture(scope="module")
def trained(factory: Path) -> tuple[dict[str, Any], str]:
    return train(factory, "--recipe", factory / "plate.yaml")


def test_a_rule_about_a_class_fires_and_is_named(factory: Path, trained: tuple[dict[str, Any], str]) -> None:
    result, said = trained
    card = load_package(Path(result["package"])).card
    assert card.judging.naming is not None and card.judging.naming.classes == LABELLED
    assert "rule 'any dent' can't fire: no region is of class 'dent'" in said and "any scratch" not in said
    for variant in ("fp32", "int8"):
        for one in inspected(result["package"], factory, "scratch", variant):
            assert (one.verdict, one.rule) == ("reject", "any scratch"), variant
            assert str(one.reason).startswith("any scratch: ")
            assert one.regions[0].defect_class == "scratch"
        for one in inspected(result["package"], factory, "stain", variant):
            assert one.verdict == "pass", f"{variant}: small enough to be tolerated, though its score alone is not"
        assert all(one.verdict == "pass" for one in inspected(result["package"], factory, "good", variant))
    stains = [one for one in inspected(result["package"], factory, "stain") if one.score > card.thresholds.t2]
    assert stains and all(region.defect_class == "stain" for one in stains for region in one.regions)


def test_the_report_says_how_often_the_class_is_right(factory: Path, trained: tuple[dict[str, Any], str]) -> None:
    result, _ = trained
    given = {one["label"]: one["regions"] for one in result["classes"]}
    assert given["scratch"].get("scratch", 0) >= EACH and "stain" not in given["scratch"]
    assert given["stain"].get("stain", 0) >= 1 and "scratch" not in given["stain"]
    assert result["metrics"]["named_rightly"] == 1.0 and result["metrics"]["regions_named"] > 0.8
    page = Path(result["report"]).read_text(encoding="utf-8")
    assert "Classes given" in page and "100.0% were given the right one" in page


def test_every_runtime_gives_the_same_probabilities(factory: Path, trained: tuple[dict[str, Any], str]) -> None:
    package = load_package(Path(trained[0]["package"]))
    size = package.card.preparation.graph_size_px
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    maps = [Detector(package.graph, engine=engine).run(pixels).class_map for engine in installed_engines()]
    for one in maps:
        assert one is not None and one.shape[0] == len(LABELLED) and one.min() >= 0 and one.sum(axis=0).max() <= 1.0001
        np.testing.assert_allclose(one, maps[0], atol=1e-4)


def test_an_update_learns_a_class_that_is_new(factory: Path, trained: tuple[dict[str, Any], str]) -> None:
    base = load_base(Path(trained[0]["package"]))
    for split in ("test", "ground_truth"):
        shutil.move(factory / "kept" / split / LATER, factory / "parts" / split / LATER)
    label(factory / "parts", LATER)
    new = unlearned(read_image_set(factory / "parts").train, base.state)
    assert [sample.label for sample in new] == [LATER] * EACH
    grown = fit(new, load_recipe(base.package.folder / RECIPE), base.preparer, Progress(), base.state)
    assert grown.named is not None and set(grown.named.classes) == {*LABELLED, LATER}


@pytest.mark.parametrize(
    ("seen", "floor"),
    [
        ([], 0.5),
        ([(True, 0.6)] * 9 + [(False, 0.6)], 0.5),  # nine of ten are enough
        ([(True, 0.8)] * 9 + [(False, 0.6)] * 2, 0.65),  # the wrong ones are less sure
        ([(True, 0.72)] * 3 + [(False, 0.72)] + [(False, 0.6)] * 9, 0.65),  # never enough: the floor that does best
    ],
)
def test_the_floor_is_the_lowest_by_which_enough_are_right(seen: list[tuple[bool, float]], floor: float) -> None:
    assert _floor([_Seen(*one) for one in seen]) == floor
