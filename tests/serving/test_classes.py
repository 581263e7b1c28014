"""A model that gives classes, live: they are in the answer, decide by rule, and the list is filtered by them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trialsight.files import sha256_of
from trialsight.home import Home
from trialsight.judging import Judging
from trialsight.naming import Naming
from trialsight.package import GRAPH, load_package, write_card
from trialsight.rules import Rule
from trialsight_serving.models.promotion import promote

GLINT_OR_STAIN = Judging(naming=Naming(("glint", "stain"), 0.5), rules=(Rule("any glint", "glint"),))


def give_classes(folder: Path) -> Path:
    """The blob model's package with a class map, by whether a block is brighter or darker than it should be."""
    card = load_package(folder).card
    model = onnx.load(folder / GRAPH)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(80, np.float32), "sure"),
            numpy_helper.from_array(np.array([1], np.int64), "plane"),
        ]
    )
    model.graph.node.extend(
        [
            helper.make_node("Div", ["difference", "sure"], ["bright"]),
            helper.make_node("Neg", ["bright"], ["dark"]),
            helper.make_node("Unsqueeze", ["bright", "plane"], ["bright_plane"]),
            helper.make_node("Unsqueeze", ["dark", "plane"], ["dark_plane"]),
            helper.make_node("Concat", ["bright_plane", "dark_plane"], ["both"], axis=1),
            helper.make_node("Relu", ["both"], ["class_map"]),
        ]
    )
    model.graph.output.append(helper.make_tensor_value_info("class_map", TensorProto.FLOAT, ["N", 2, "h", "w"]))
    onnx.save(model, folder / GRAPH)
    write_card(folder, replace(card, graph_sha256=sha256_of(folder / GRAPH), judging=GLINT_OR_STAIN))
    return folder


def test_classes_are_answered_decide_and_filter(
    promoted: Home,
    tmp_path: Path,
    serve: Callable[..., httpx.Client],
    frame: Callable[..., bytes],
    register: Callable[..., str],
    write_package: Callable[..., Path],
) -> None:
    version = register(promoted, give_classes(write_package(tmp_path / "named", "named")), "named")
    promote(promoted, "named", version, line="L1")
    with serve(promoted) as client:
        found = {}
        for part, blob in (("P-1", 100), ("P-2", -100), ("P-3", 0)):
            headers = {"Content-Type": "image/png"}
            answer = client.post("/v1/lines/L1/frames", content=frame(blob), headers=headers, params={"part": part})
            assert answer.status_code == 200, answer.text
            said = answer.json()
            found[part] = (said["verdict"], said["rule"], [region["defect_class"] for region in said["regions"]])
        assert found == {
            "P-1": ("reject", "any glint", ["glint"]),
            "P-2": ("reject", "score", ["stain"]),
            "P-3": ("pass", None, []),
        }
        for kind, part in (("glint", "P-1"), ("stain", "P-2")):
            parts = client.get("/v1/parts", params={"defect_class": kind}).json()["parts"]
            assert [(one["part"], one["defect_class"]) for one in parts] == [(part, kind)]
