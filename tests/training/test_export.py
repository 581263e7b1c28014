"""The exported graph: any batch, torch's numbers, and no release where they differ."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from trialsight.errors import TrialsightError
from trialsight_training.backbones import create_backbone
from trialsight_training.detectors.graph import Detector
from trialsight_training.detectors.patch_memory import PatchMemory
from trialsight_training.export import OPSET, check_parity, export_onnx


@pytest.fixture(scope="module")
def model(remembering: Callable[..., PatchMemory]) -> Detector:
    torch.manual_seed(0)
    backbone = create_backbone("shipped", "shipped", ())
    return Detector(backbone, remembering(backbone, [torch.rand(64, width) for width in backbone.channels])).eval()


@pytest.fixture(scope="module")
def graph(model: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    export_onnx(model, (96, 64), path)
    return path


def frames(n: int) -> NDArray[np.uint8]:
    return np.random.default_rng(n).integers(0, 256, (n, 64, 96, 3), np.uint8)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_any_batch_gives_the_single_frames_results(graph: Path, batch: int) -> None:
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    defect_map, score = session.run(["defect_map", "score"], {"frame": frames(batch)})
    assert (defect_map.shape, score.shape) == ((batch, 16, 24), (batch,))
    for index, frame in enumerate(frames(batch)):
        alone = session.run(["defect_map", "score"], {"frame": frame[np.newaxis]})
        np.testing.assert_allclose(defect_map[index], alone[0][0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(score[index], alone[1][0], rtol=1e-4)


def test_the_graph_is_one_file_of_the_stated_opset_without_thresholds(graph: Path) -> None:
    loaded = onnx.load(graph)
    onnx.checker.check_model(loaded, full_check=True)
    assert [one.version for one in loaded.opset_import if one.domain == ""] == [OPSET]
    assert [path.name for path in graph.parent.iterdir()] == ["model.onnx"]


def tamper(graph: Path, folder: Path, factor: float) -> Path:
    """A copy where distances are taken in a larger space."""
    model = onnx.load(graph)
    axes = next(one for one in model.graph.initializer if one.name.endswith(".axes"))
    axes.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(axes) * np.float32(factor), axes.name))
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def test_parity_holds(model: Detector, graph: Path) -> None:
    assert check_parity(model, graph, frames(3)) < 1e-4


def test_a_graph_that_differs_is_refused(model: Detector, graph: Path, tmp_path: Path) -> None:
    path = tamper(graph, tmp_path, 1.05)
    with pytest.raises(TrialsightError, match="differs from the trained model"):
        check_parity(model, path, frames(3))


def test_a_graph_that_gives_no_numbers_is_refused(model: Detector, graph: Path, tmp_path: Path) -> None:
    path = tamper(graph, tmp_path, float("nan"))
    with pytest.raises(TrialsightError, match="differs from the trained model"):
        check_parity(model, path, frames(3))


def test_a_graph_that_does_not_run_is_refused(model: Detector, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(TrialsightError, match="does not run"):
        check_parity(model, path, frames(2))
