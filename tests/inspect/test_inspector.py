from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from trialsight import FrameError, Inspector, PackageError, Thresholds, Verdict
from trialsight.errors import FrameFault
from trialsight.geometry.scale import Scale
from trialsight.judging import Judging

PackageMaker = Callable[..., Path]


def frame(spot: int | None, side: int = 64) -> np.ndarray:
    pixels = np.full((side, side, 3), 128, np.uint8)
    if spot is not None:
        pixels[side // 4 : side // 2, side // 4 : side // 2] = spot
    return pixels


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.mark.parametrize(
    ("spot", "verdict"), [(None, Verdict.PASS), (170, Verdict.REVIEW), (255, Verdict.REJECT), (0, Verdict.REJECT)]
)
def test_bytes_and_pixels_get_the_same_verdict(make_package: PackageMaker, spot: int | None, verdict: Verdict) -> None:
    inspector = Inspector.load(make_package())
    by_bytes, by_pixels = inspector(png(frame(spot))), inspector(frame(spot))
    assert by_bytes.verdict is by_pixels.verdict is verdict
    assert by_bytes.score == by_pixels.score
    assert set(by_bytes.timings_ms) == {"decode", "infer", "post"}


def test_a_region_lies_where_the_defect_is_in_frame_pixels_and_mm(make_package: PackageMaker) -> None:
    inspector = Inspector.load(make_package(judging=Judging(scale=Scale(mm_per_px=0.5))))
    found = inspector(frame(255, side=256))  # four times the model's input
    (region,) = found.regions
    assert region.box_px == (64, 64, 64, 64)
    assert region.area_px == 64 * 64
    assert region.area_mm2 == 64 * 64 * 0.25
    assert region.center_mm == (48, 48)
    assert region.peak == pytest.approx(found.score)
    xs, ys = np.array(region.contour).T
    assert 64 <= xs.min() < xs.max() <= 128
    assert 64 <= ys.min() < ys.max() <= 128


def test_thresholds_can_be_moved_without_touching_the_model(make_package: PackageMaker) -> None:
    inspector = Inspector.load(make_package())
    assert inspector(frame(255), Thresholds(2.0, 3.0, 2.0)).verdict is Verdict.PASS


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_model_that_gives_no_number_gives_no_verdict(make_package: PackageMaker, value: float) -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["frame"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["f", "last"], ["gray"], keepdims=0),
            helper.make_node("Mul", ["gray", "zero"], ["flat"]),
            helper.make_node("Add", ["flat", "bad"], ["defect_map"]),
            helper.make_node("ReduceMax", ["defect_map", "sides"], ["score"], keepdims=0),
        ],
        "broken",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, ["n", "H", "W", 3])],
        [
            helper.make_tensor_value_info("defect_map", TensorProto.FLOAT, ["n", "H", "W"]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"]),
        ],
        [
            helper.make_tensor("last", TensorProto.INT64, [1], [3]),
            helper.make_tensor("sides", TensorProto.INT64, [2], [1, 2]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("bad", TensorProto.FLOAT, [], [value]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    found = Inspector.load(make_package(graph=model))(frame(None))
    assert found.verdict is Verdict.NO_VERDICT
    assert found.reason
    assert found.score is None
    assert found.defect_map is None


def graph_that_fails_above(brightness: int) -> onnx.ModelProto:
    """Looks the mean brightness up in a table with too few entries: fails at run time, and only on bright frames."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["frame"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["f", "axes"], ["mean"], keepdims=0),
            helper.make_node("Cast", ["mean"], ["index"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "index"], ["looked_up"]),
            helper.make_node("Reshape", ["looked_up", "shape"], ["defect_map"]),
            helper.make_node("ReduceMax", ["defect_map", "sides"], ["score"], keepdims=0),
        ],
        "fragile",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, ["n", "H", "W", 3])],
        [
            helper.make_tensor_value_info("defect_map", TensorProto.FLOAT, ["n", "h", "w"]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"]),
        ],
        [
            helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
            helper.make_tensor("sides", TensorProto.INT64, [2], [1, 2]),
            helper.make_tensor("shape", TensorProto.INT64, [3], [-1, 1, 1]),
            helper.make_tensor("table", TensorProto.FLOAT, [brightness], [0.0] * brightness),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_a_model_that_fails_on_a_frame_gives_no_verdict(make_package: PackageMaker) -> None:
    inspector = Inspector.load(make_package(graph=graph_that_fails_above(150)))
    assert inspector(frame(None)).verdict is Verdict.PASS
    found = inspector(np.full((64, 64, 3), 200, np.uint8))
    assert found.verdict is Verdict.NO_VERDICT
    assert "model failed" in (found.reason or "")


def test_a_model_that_cannot_run_at_all_is_not_loaded(make_package: PackageMaker) -> None:
    with pytest.raises(PackageError, match="doesn't run"):
        Inspector.load(make_package(graph=graph_that_fails_above(0)))


@pytest.mark.parametrize(
    ("pixels", "fault"),
    [
        (np.zeros((64, 64), np.uint8), FrameFault.WRONG_GEOMETRY),
        (np.zeros((64, 64, 4), np.uint8), FrameFault.WRONG_GEOMETRY),
        (np.zeros((64, 64, 3), np.float32), FrameFault.WRONG_GEOMETRY),
        (np.zeros((0, 64, 3), np.uint8), FrameFault.WRONG_GEOMETRY),
    ],
)
def test_arrays_that_are_no_rgb_frame_are_refused(
    make_package: PackageMaker, pixels: np.ndarray, fault: FrameFault
) -> None:
    with pytest.raises(FrameError) as caught:
        Inspector.load(make_package())(pixels)
    assert caught.value.fault is fault


def test_the_same_frame_from_four_threads_gives_one_score(make_package: PackageMaker) -> None:
    from concurrent.futures import ThreadPoolExecutor

    inspector = Inspector.load(make_package())
    data = png(frame(200))
    with ThreadPoolExecutor(4) as pool:
        assert len({found.score for found in pool.map(inspector, [data] * 40)}) == 1


@pytest.mark.parametrize("altered", ["model.onnx", "golden/0-pass.png"])
def test_an_altered_file_is_found_by_its_checksum(make_package: PackageMaker, altered: str) -> None:
    folder = make_package()
    with (folder / altered).open("ab") as file:
        file.write(b"x")
    with pytest.raises(PackageError, match="altered"):
        Inspector.load(folder)


@pytest.mark.parametrize(
    ("find", "put", "message"),
    [
        ('"t1": 0.2', '"t1": 0.9', "t1 .* lies above t2"),
        ('"format": 1', '"format": 2', "format 2"),
        ('"opset"', '"opsett"', "unknown field"),
        ('"file": "0-pass.png"', '"file": "../../0-pass.png"', "plain file name"),
        ("{", "", "card.json"),
    ],
)
def test_a_card_that_does_not_hold_together_is_refused(
    make_package: PackageMaker, find: str, put: str, message: str
) -> None:
    card = make_package() / "card.json"
    text = card.read_text()
    assert find in text
    card.write_text(text.replace(find, put, 1))
    with pytest.raises(PackageError, match=message):
        Inspector.load(card.parent)


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="not a model package"):
        Inspector.load(tmp_path / "nowhere")


def test_a_graph_of_another_contract_is_refused(make_package: PackageMaker) -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "other",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    with pytest.raises(PackageError, match="contract"):
        Inspector.load(make_package(graph=model))
