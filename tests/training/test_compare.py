"""Two packages on one set through the command line: who errs, by how much, and the gate's exit code."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from trialsight.cli import app
from trialsight.verdict import Thresholds

PackageMaker = Callable[..., Path]


@pytest.fixture
def spots(tmp_path: Path) -> Path:
    """Gray frames of 64 px, three good ones and three with spots of rising brightness, in the MVTec layout."""
    root = tmp_path / "spots"
    for folder, brightness in (
        ("train/good", [None] * 5),
        ("test/good", [None, 150, None]),
        ("test/spot", [160, 200, 250]),
    ):
        for index, bright in enumerate(brightness):
            frame = np.full((64, 64, 3), 128, np.uint8)
            frame[0, 0] = index
            mask = np.zeros((64, 64), np.uint8)
            mask[20:40, 20:40] = 255
            if bright is not None:
                frame[mask > 0] = bright
            path = root / folder / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), frame)
            if "spot" in folder:
                (root / "ground_truth/spot").mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(root / f"ground_truth/spot/{index}_mask.png"), mask)
    return root


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["compare", *map(str, words)], catch_exceptions=False)
    return done.exit_code, done.stdout


@pytest.fixture
def pair(make_package: PackageMaker, tmp_path: Path) -> tuple[Path, Path]:
    """A is strict, B lets brighter spots pass; the same graph."""
    strict = make_package(folder=tmp_path / "a", thresholds=Thresholds(0.1, 0.15, 0.1))
    lenient = make_package(folder=tmp_path / "b", thresholds=Thresholds(0.4, 0.6, 0.4))
    return strict, lenient


def test_what_each_gets_wrong_alone_is_counted_and_shown(pair: tuple[Path, Path], spots: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, out = run(*pair, "--data", spots, "--json", "--report", page)
    found = json.loads(out)
    assert code == 0
    assert found["escapes"] == {"only_a": 0, "only_b": 1, "p_value": 1.0}
    assert found["false_rejects"] == {"only_a": 1, "only_b": 0, "p_value": 1.0}
    differences = {one["name"]: one for one in found["differences"]}
    assert differences["escape_rate"]["difference"] == pytest.approx(1 / 3)
    assert differences["image_auroc"]["difference"] == 0
    assert differences.keys() >= {"image_ap", "aupimo", "aupro", "pixel_auroc", "review_rate"}
    assert found["transitions"]["defective"]["reject"]["pass"] == 1
    first, second = found["disagreements"][:2]
    assert (first["label"], first["b"]["verdict"]) == ("spot", "pass"), "an escape of B is the gravest"
    assert (second["label"], second["a"]["verdict"]) == ("good", "reject")
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg") == 3 * len(found["disagreements"])
    assert "<td>spot</td>" in text


def test_the_gate_exits_with_3_where_b_is_not_sure_to_keep_up(
    pair: tuple[Path, Path], spots: Path, make_package: PackageMaker, tmp_path: Path, blind_graph: "object"
) -> None:
    assert run(*pair, "--data", spots, "--margin", 0.01)[0] == 0
    blind = make_package(folder=tmp_path / "blind", graph=blind_graph, golden={})
    code, out = run(pair[0], blind, "--data", spots, "--margin", 0.01, "--json")
    assert (code, json.loads(out)["holds"]) == (3, False)
    code, out = run(blind, pair[0], "--data", spots, "--margin", 0.01, "--json")
    assert (code, json.loads(out)["holds"]) == (0, True)


@pytest.fixture
def blind_graph() -> object:
    """A graph of the package contract that says 0 of every pixel."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", ["frame"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["x", "last"], ["gray"], keepdims=0),
        helper.make_node("Mul", ["gray", "zero"], ["defect_map"]),
        helper.make_node("ReduceMax", ["defect_map", "sides"], ["score"], keepdims=0),
    ]
    constants = [
        helper.make_tensor("last", TensorProto.INT64, [1], [3]),
        helper.make_tensor("sides", TensorProto.INT64, [2], [1, 2]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
    ]
    graph = helper.make_graph(
        nodes,
        "blind",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, ["n", "H", "W", 3])],
        [
            helper.make_tensor_value_info("defect_map", TensorProto.FLOAT, ["n", "h", "w"]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"]),
        ],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
