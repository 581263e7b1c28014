"""What every wing's tests share: a small real model package, and the way to the real photographs."""

import os

# Before anybody loads torch: small tensors gain nothing from threads, and beside other workers' threads cost much.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from trialsight.card import Card, GoldenFrame, Preparation, Promise, Provenance
from trialsight.files import sha256_of
from trialsight.inspector import Inspector
from trialsight.judging import Judging
from trialsight.package import write_card
from trialsight.verdict import Thresholds, Verdict

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent
SIDE = 64
# Without these, Chromium calls home at every start; closed networks refuse it many times over.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))  # Playwright's own pipes


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """One Chromium a file: while Playwright runs, its process can start neither another nor asyncio."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photographs and trunks; TRIALSIGHT_SHARED names it, else it lies beside the repository."""
    folder = Path(os.environ.get("TRIALSIGHT_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real photographs at {folder} (set TRIALSIGHT_SHARED)")
    return folder


def gray_frame(spot: int | None = None, side: int = SIDE, seed: int = 0) -> NDArray[np.uint8]:
    """(side, side, 3) mid-gray with a little noise; `spot` paints a block of that brightness off centre."""
    frame = np.random.default_rng(seed).integers(124, 133, (side, side, 3), dtype=np.uint8)
    if spot is not None:
        frame[side // 4 : side // 2, side // 4 : side // 2] = spot
    return frame


def encode(frame: NDArray[np.uint8], suffix: str = ".png") -> bytes:
    """RGB pixels as a file's bytes."""
    return cv2.imencode(suffix, frame[..., ::-1])[1].tobytes()


def spot_graph() -> onnx.ModelProto:
    """The smallest honest detector: local mean distance from mid-gray, by the package contract's names and shapes."""
    nodes = [
        helper.make_node("Cast", ["frame"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f", "last"], ["gray"], keepdims=0),
        helper.make_node("Sub", ["gray", "mid"], ["signed"]),
        helper.make_node("Abs", ["signed"], ["off"]),
        helper.make_node("Div", ["off", "mid"], ["unit"]),
        helper.make_node("Unsqueeze", ["unit", "one"], ["nchw"]),
        helper.make_node("AveragePool", ["nchw"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Squeeze", ["pooled", "one"], ["defect_map"]),
        helper.make_node("ReduceMax", ["defect_map", "sides"], ["score"], keepdims=0),
    ]
    constants = [
        helper.make_tensor("last", TensorProto.INT64, [1], [3]),
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        helper.make_tensor("sides", TensorProto.INT64, [2], [1, 2]),
        helper.make_tensor("mid", TensorProto.FLOAT, [], [128.0]),
    ]
    graph = helper.make_graph(
        nodes,
        "spot",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, ["n", "H", "W", 3])],
        [
            helper.make_tensor_value_info("defect_map", TensorProto.FLOAT, ["n", "h", "w"]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model


PackageMaker = Callable[..., Path]


def build_package(
    folder: Path,
    name: str = "bracket",
    preparation: Preparation | None = None,
    thresholds: Thresholds | None = None,
    golden: dict[Verdict, int | None] | None = None,
    graph: onnx.ModelProto | None = None,
    judging: Judging | None = None,
    reference: bytes | None = None,
) -> Path:
    """Write a package and give its folder. `golden` maps a verdict to the brightness of the golden frame's spot."""
    (folder / "golden").mkdir(parents=True)
    onnx.save(graph or spot_graph(), folder / "model.onnx")
    if reference is not None:
        (folder / "reference.png").write_bytes(reference)
    frames = []
    wanted = {Verdict.PASS: None, Verdict.REJECT: 255} if golden is None else golden
    for index, (verdict, spot) in enumerate(wanted.items()):
        file = folder / "golden" / f"{index}-{verdict.value}.png"
        file.write_bytes(encode(gray_frame(spot)))
        frames.append(GoldenFrame(file.name, sha256_of(file), verdict, score=0.0))
    card = Card(
        recipe=name,
        product=name,
        variant="A",
        created_at="2026-01-01T00:00:00+00:00",
        graph_sha256=sha256_of(folder / "model.onnx"),
        opset=18,
        detector={"name": "spot"},
        preparation=preparation or Preparation(SIDE, SIDE),
        thresholds=thresholds or Thresholds(t1=0.2, t2=0.6, region=0.2),
        promise=Promise(false_reject=0.05, n=20, method="cross-conformal"),
        calibration_scores=(0.02,) * 20,
        metrics={"image_auroc": 1.0},
        golden=tuple(frames),
        provenance=Provenance(dataset_sha256="0" * 64, seed=0),
        judging=judging or Judging(),
    )
    write_card(folder, card)
    if graph is None and frames:
        _record_scores(folder, card)
    return folder


@pytest.fixture(scope="session")
def package_builder() -> PackageMaker:
    """`build_package`, for fixtures that outlive one test."""
    return build_package


@pytest.fixture
def make_package(tmp_path: Path) -> PackageMaker:
    """`build_package` into this test's own folder."""

    def make(name: str = "bracket", folder: Path | None = None, **more: Any) -> Path:
        return build_package(folder or tmp_path / f"package-{name}", name, **more)

    return make


def _record_scores(folder: Path, card: Card) -> None:
    """Fill in the golden frames' scores as the model gives them, as training does."""
    inspector = Inspector.load(folder)
    scores = [inspector(data).score for data in inspector.package.golden_frames()]
    golden = tuple(replace(frame, score=score or 0.0) for frame, score in zip(card.golden, scores, strict=True))
    write_card(folder, replace(card, golden=golden))
