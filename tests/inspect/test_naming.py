"""A region's class: from the graph's class map, wherever the region lies and however the frame is laid."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from trialsight import Inspector, Verdict
from trialsight.card import Preparation
from trialsight.errors import PackageError
from trialsight.files import sha256_of
from trialsight.geometry.register import Registration
from trialsight.geometry.shapes import Shape
from trialsight.judging import Judging
from trialsight.naming import ClassMap, Naming
from trialsight.reason import Reason
from trialsight.rules import Condition, Rule
from trialsight.tiles import Tiles

PackageMaker = Callable[..., Path]
GLINT_OR_STAIN = Naming(("glint", "stain"), floor=0.5)
ANY_STAIN = Rule("any stain", "stain")
SMALL_GLINTS = Rule("glints to 30 px", "glint", where=(Condition("length_px", below=30),), at_most=9)


@pytest.fixture
def naming_graph(make_package: PackageMaker) -> onnx.ModelProto:
    """The spot detector, whose class map says at half its map's resolution how bright or dark a place is."""
    model = onnx.load(make_package("plain") / "model.onnx")
    model.graph.node.extend(
        [
            helper.make_node("Unsqueeze", ["signed", "one"], ["signed4"]),
            helper.make_node("AveragePool", ["signed4"], ["coarse"], kernel_shape=[8, 8], strides=[8, 8]),
            helper.make_node("Div", ["coarse", "mid"], ["bright"]),
            helper.make_node("Neg", ["bright"], ["dark"]),
            helper.make_node("Concat", ["bright", "dark"], ["both"], axis=1),
            helper.make_node("Relu", ["both"], ["class_map"]),
        ]
    )
    model.graph.output.append(helper.make_tensor_value_info("class_map", TensorProto.FLOAT, ["n", 2, "hc", "wc"]))
    onnx.checker.check_model(model)
    return model


def frame(*spots: tuple[int, int, int], size: tuple[int, int] = (128, 128)) -> np.ndarray:
    """(height, width, 3) gray; a spot is its left, top and gray value, 16 pixels wide."""
    pixels = np.random.default_rng(0).integers(126, 131, (size[1], size[0], 3), dtype=np.uint8)
    for left, top, value in spots:
        pixels[top : top + 16, left : left + 16] = value
    return pixels


@pytest.mark.parametrize(
    ("spots", "classes", "verdict", "rule"),
    [
        ([], [], Verdict.PASS, None),
        ([(16, 16, 0)], ["stain"], Verdict.REJECT, "any stain"),
        ([(16, 16, 255)], ["glint"], Verdict.PASS, None),  # tolerated, though its score is far above t2
        ([(16, 16, 255), (32, 16, 255)], ["glint"], Verdict.REJECT, "score"),  # too long to be tolerated
        ([(16, 16, 255), (80, 64, 0)], ["stain", "glint"], Verdict.REJECT, "any stain"),
        ([(16, 16, 185)], [None], Verdict.REVIEW, "score"),  # bright, but not surely
    ],
)
def test_rules_about_a_class_fire(
    make_package: PackageMaker,
    naming_graph: onnx.ModelProto,
    spots: list[tuple[int, int, int]],
    classes: list[str | None],
    verdict: Verdict,
    rule: str | None,
) -> None:
    judging = Judging(naming=GLINT_OR_STAIN, rules=(ANY_STAIN, SMALL_GLINTS))
    inspect = Inspector.load(
        make_package(graph=naming_graph, preparation=Preparation(128, 128), judging=judging, golden={})
    )
    found = inspect(frame(*spots))
    assert ([one.defect_class for one in found.regions], found.verdict, found.rule) == (classes, verdict, rule)
    assert found.rule != "any stain" or found.reason == Reason("rule_one", rule="any stain", count=1, at_most=0)


def test_a_class_is_the_same_in_a_crop_in_tiles_and_in_a_part_that_lies_askew(
    make_package: PackageMaker, naming_graph: onnx.ModelProto
) -> None:
    size = {"frame_width_px": 384, "frame_height_px": 384}
    reference = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (384, 384), np.uint8), (0, 0), 6)
    png = cv2.imencode(".png", reference)[1].tobytes()
    part = frame((200, 160, 255), (240, 300, 0), size=(384, 384))
    waves = np.asarray((reference.astype(np.float32) - reference.mean()) * 0.3, np.int16)[..., None]
    part = np.clip(part + waves, 0, 255).astype(np.uint8)
    askew = cv2.warpAffine(part, np.array([[1, 0, 9], [0, 1, -6]], np.float32), (384, 384), borderMode=cv2.BORDER_WRAP)
    (kept := make_package("kept") / "reference.png").write_bytes(png)
    registered = {"registration": Registration(), "reference_sha256": sha256_of(kept)}
    for name, preparation, picture, shift in (
        ("whole", Preparation(384, 384, **size), part, (0, 0)),
        ("crop", Preparation(256, 256, crop_px=(128, 128, 256, 256), **size), part, (0, 0)),
        ("tiles", Preparation(384, 384, tiles=Tiles(256, 256, 64), **size), part, (0, 0)),
        ("askew", Preparation(384, 384, **size, **registered), askew, (9, -6)),
    ):
        roi = Shape(rect=(136, 136, 240, 240))
        package = make_package(
            name, graph=naming_graph, preparation=preparation, golden={}, reference=png,
            judging=Judging(naming=GLINT_OR_STAIN, roi=roi),
        )  # fmt: skip
        regions = Inspector.load(package)(picture).regions
        found = {one.defect_class: one.center_px for one in regions if one.peak > 0.6}
        for kind, (x, y) in (("glint", (208, 168)), ("stain", (248, 308))):
            assert found[kind] == pytest.approx((x + shift[0], y + shift[1]), abs=4), (name, kind)


def test_what_is_no_number_names_nothing() -> None:
    unknown = ClassMap(GLINT_OR_STAIN, np.full((2, 4, 4), np.nan, np.float32), np.ones((8, 8), np.float32))
    assert unknown.name((2, 2), np.ones((3, 3), np.bool_)) is None


def test_a_graph_that_gives_other_classes_than_the_card_names_is_refused(
    make_package: PackageMaker, naming_graph: onnx.ModelProto
) -> None:
    with pytest.raises(PackageError, match="names 2 classes, the graph gives 0"):
        Inspector.load(make_package("none", judging=Judging(naming=GLINT_OR_STAIN), golden={}))
    three = replace(GLINT_OR_STAIN, classes=("glint", "stain", "crack"))
    with pytest.raises(PackageError, match="names 3 classes, the graph gives 2"):
        Inspector.load(make_package("two", graph=naming_graph, judging=Judging(naming=three), golden={}))


@pytest.mark.parametrize(("classes", "floor"), [((), 0.5), (("a", "a"), 0.5), (("a",), 0.0), (("a",), 1.5)])
def test_a_naming_that_makes_no_sense_is_refused(classes: tuple[str, ...], floor: float) -> None:
    with pytest.raises(ValueError, match=r"classes must|floor must"):
        Naming(classes, floor)
