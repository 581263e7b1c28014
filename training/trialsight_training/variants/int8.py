"""The backbone in 8-bit integers; distances and the map stay in float32.

Static quantisation in QDQ form, weights per channel, activations by the range seen on training frames (Jacob et al.,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from trialsight.detector import INPUT
from trialsight.errors import TrialsightError
from trialsight_training.quiet import quiet

BACKBONE = "backbone."  # the exporter names weights by their place in the module
GOES_ON = frozenset({"Relu", "Clip", "MaxPool", "Add"})  # stay in integers between convolutions


def quantise(graph: Path, frames: Sequence[NDArray[np.uint8]], target: Path) -> None:
    """Write `graph` in INT8, calibrated on `frames` (H, W, 3). Raises TrialsightError where it has nothing to gain."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Frames(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._rest = iter(frames)

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            frame = next(self._rest, None)
            return None if frame is None else {INPUT: frame[np.newaxis]}

    model = onnx.load(graph)
    names = _gain(model)
    kinds = sorted({node.op_type for node in model.graph.node if node.name in names})
    with quiet():
        quantize_static(
            model,
            target,
            Frames(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=names,
            op_types_to_quantize=kinds,
        )


def _gain(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes that gain from integers and can bear them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    names: list[str] = []
    integer: set[str] = set()  # values that come out of such nodes
    for node in model.graph.node:
        values = [name for name in node.input if name and name not in weights]
        takes = (node.op_type == "Conv" and node.input[1].startswith(BACKBONE)) or (
            node.op_type in GOES_ON and bool(values) and integer.issuperset(values)
        )
        if takes:
            names.append(node.name)
            integer.update(node.output)
    if not any(node.op_type == "Conv" for node in model.graph.node if node.name in names):
        raise TrialsightError("the backbone has no convolutions to quantise")
    return names
