"""The fastest way to run a package: only what gives the golden frames their due, remembered, and never a dead end."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from trialsight import Inspector
from trialsight.card import Variant
from trialsight.engines import installed_engines
from trialsight.fastest import Tried, Way, choose, load_fastest, pick
from trialsight.files import sha256_of
from trialsight.package import Package, load_package, write_card

PackageMaker = Callable[..., Path]
USUAL, INT8 = Way(), Way("int8")


@pytest.mark.parametrize(
    ("tried", "taken"),
    [
        ([Tried(USUAL, 10.0), Tried(INT8, 5.0)], INT8),
        ([Tried(USUAL, 10.0), Tried(INT8, 9.5)], USUAL),
        ([Tried(USUAL, 10.0), Tried(INT8, problem="golden frame 0.png: expected pass, got reject")], USUAL),
        ([Tried(USUAL, problem="golden frame 0.png: score"), Tried(INT8, 5.0)], USUAL),
        ([Tried(USUAL, 10.0), Tried(INT8, 5.0), Tried(Way("int8", "openvino"), 4.0)], Way("int8", "openvino")),
    ],
    ids=["a clear gain", "no clear gain", "fails its gate", "fp32 itself fails: the gate will say so", "the fastest"],
)
def test_what_is_taken(tried: list[Tried], taken: Way) -> None:
    assert pick(tried) == taken


@pytest.fixture
def package(make_package: PackageMaker) -> Package:
    """With a variant `int8` that is the same graph, and one `bf16` whose map is half as high again."""
    folder = make_package()
    (folder / "int8.onnx").write_bytes((folder / "model.onnx").read_bytes())
    model = onnx.load(folder / "model.onnx")
    (mid,) = (one for one in model.graph.initializer if one.name == "mid")
    other = onnx.helper.make_tensor("half", onnx.TensorProto.FLOAT, [], [numpy_helper.to_array(mid).item() / 1.5])
    model.graph.initializer.append(other)
    next(node for node in model.graph.node if node.op_type == "Div").input[1] = "half"
    onnx.save(model, folder / "bf16.onnx")
    card = load_package(folder).card
    write_card(folder, replace(card, variants=(variant(folder, "int8"), variant(folder, "bf16"))))
    return load_package(folder)


def variant(folder: Path, name: str) -> Variant:
    card = load_package(folder).card
    file = folder / f"{name}.onnx"
    scores = tuple(frame.score for frame in card.golden)
    return Variant(name, file.name, sha256_of(file), file.stat().st_size, card.thresholds, card.promise, scores)


def test_a_variant_that_fails_its_golden_frames_here_is_not_taken(package: Package, tmp_path: Path) -> None:
    choice = choose(package, None, callers=1, budget_s=600)  # on a busy machine the usual seconds are too few
    problems = {one.way.variant: one.problem for one in choice.tried if one.way.threads == 1}
    assert "golden frame 1-reject.png" in (problems["bf16"] or "")
    assert problems["int8"] is problems["fp32"] is None
    assert "golden frame" in str(choice)
    inspector, taken = load_fastest(package, tmp_path / "runtimes", callers=1)
    assert choice.way.variant != "bf16" != taken.way.variant
    assert str(taken.way) == inspector.runtime


def test_a_choice_is_remembered_and_tried_again_when_it_is_lost(package: Package, tmp_path: Path) -> None:
    cache = tmp_path / "runtimes"
    load_fastest(package, cache, callers=1)
    (file,) = cache.iterdir()
    file.write_text(json.dumps({"way": {"variant": "int8", "engine": "onnxruntime", "threads": 2}, "tried": []}))
    inspector, _ = load_fastest(package, cache, callers=1)
    assert inspector.runtime.startswith("int8 in onnxruntime")
    assert inspector.runtime.endswith("2 threads")
    file.write_text("{")
    _, choice = load_fastest(package, cache, callers=1)
    assert choice.tried
    assert json.loads(file.read_text())["tried"]


def test_a_remembered_way_that_no_longer_runs_gives_way_to_fp32(package: Package, tmp_path: Path) -> None:
    cache = tmp_path / "runtimes"
    load_fastest(package, cache, callers=1)
    (file,) = cache.iterdir()
    file.write_text(json.dumps({"way": {"variant": "int4", "engine": "onnxruntime", "threads": 1}, "tried": []}))
    inspector, choice = load_fastest(package, cache, callers=1)
    assert (choice.way, inspector.package.variant_name) == (Way(), "fp32")


def test_an_old_package_without_variants_and_golden_frames_is_loaded_plainly(
    make_package: PackageMaker, tmp_path: Path
) -> None:
    folder = make_package(golden={})
    card = json.loads((folder / "card.json").read_text())
    del card["variants"]
    (folder / "card.json").write_text(json.dumps(card))
    inspector, choice = load_fastest(load_package(folder), tmp_path / "runtimes")
    assert choice.way == Way()
    assert inspector.runtime.startswith("fp32 in onnxruntime")


@pytest.mark.skipif("openvino" not in installed_engines(), reason="OpenVINO is not installed")
def test_openvino_gives_the_same_numbers(make_package: PackageMaker) -> None:
    folder = make_package()
    data = load_package(folder).golden_frames()[1]
    usual, other = (Inspector.load(folder, engine=engine)(data) for engine in ("onnxruntime", "openvino"))
    assert other.verdict is usual.verdict
    assert other.score == pytest.approx(usual.score, rel=1e-5)
    assert other.regions[0].box_px == usual.regions[0].box_px
