from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from trialsight import Inspector, Verdict
from trialsight.judging import Judging
from trialsight.likeness import FLOOR, learn_likeness


def unit(*values: float) -> np.ndarray:
    row = np.array(values, np.float32)
    return row / np.linalg.norm(row)


def test_the_limit_is_twice_the_furthest_good_frame() -> None:
    rows = [unit(1, 0.0), unit(1, 0.05), unit(1, 0.5)]
    likeness = learn_likeness(rows)
    others = rows[0] + rows[1]
    furthest = 1 - rows[2] @ others / np.linalg.norm(others)
    assert likeness.limit == pytest.approx(2 * furthest, rel=1e-4)
    assert all(likeness.fault(row) is None for row in rows)
    assert "wrong product" in (likeness.fault(unit(0, 1)) or "")


def test_frames_that_are_all_alike_leave_the_floor_for_defects() -> None:
    likeness = learn_likeness([unit(1, 2, 3)] * 5)
    assert likeness.limit == FLOOR


@pytest.mark.parametrize("row", [np.zeros(2, np.float32), np.full(2, np.nan, np.float32)])
def test_no_embedding_is_no_likeness(row: np.ndarray) -> None:
    assert learn_likeness([unit(1, 0), unit(1, 0.1)]).fault(row) is not None


def color_graph() -> onnx.ModelProto:
    """Finds no defect anywhere; its embedding is the frame's mean colour."""
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2])
    nodes = [
        helper.make_node("Cast", ["frame"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f", "axes"], ["color"], keepdims=0),
        helper.make_node("ReduceL2", ["color", "last"], ["length"], keepdims=1),
        helper.make_node("Div", ["color", "length"], ["embedding"]),
        helper.make_node("ReduceMean", ["f", "channel"], ["gray"], keepdims=0),
        helper.make_node("Mul", ["gray", "zero"], ["defect_map"]),
        helper.make_node("ReduceMax", ["defect_map", "axes"], ["score"], keepdims=0),
    ]
    constants = [
        axes,
        helper.make_tensor("last", TensorProto.INT64, [1], [1]),
        helper.make_tensor("channel", TensorProto.INT64, [1], [3]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
    ]
    graph = helper.make_graph(
        nodes,
        "color",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, ["n", "H", "W", 3])],
        [
            helper.make_tensor_value_info("defect_map", TensorProto.FLOAT, ["n", "H", "W"]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 3]),
        ],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_another_product_gets_no_verdict_though_its_score_would_pass(make_package: Callable[..., Path]) -> None:
    gray, blue = np.full((64, 64, 3), 120, np.uint8), np.full((64, 64, 3), (20, 30, 220), np.uint8)
    judging = Judging(likeness=learn_likeness([unit(120, 120, 120), unit(118, 121, 120)]))
    inspect = Inspector.load(make_package(graph=color_graph(), judging=judging, golden={}))
    assert inspect(gray).verdict is Verdict.PASS
    seen = inspect(blue)
    assert seen.verdict is Verdict.NO_VERDICT
    assert "wrong product" in (seen.reason or "")


def test_a_card_that_wants_likeness_of_a_graph_without_embedding_gets_no_verdict(
    make_package: Callable[..., Path],
) -> None:
    judging = Judging(likeness=learn_likeness([unit(1, 0), unit(1, 0.1)]))
    seen = Inspector.load(make_package(judging=judging, golden={}))(np.full((64, 64, 3), 128, np.uint8))
    assert seen.verdict is Verdict.NO_VERDICT
