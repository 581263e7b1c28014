"""Half the size: weights are stored as float16 and brought back to float32 when the graph is loaded.

Processors have no float16 kernels worth having in ONNX Runtime, so all is computed in float32, at float32's speed.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Smaller tensors (means, scales, shapes) save nothing. Vectors (biases, a search's offsets) save next to nothing, and
# what is added to large terms of the other sign must be exact.
LEAST = 256
LARGEST = float(np.finfo(np.float16).max)


def halve(graph: Path, target: Path) -> None:
    """Write `graph` with its large float32 weights as float16; those that float16 can't hold stay."""
    model = onnx.load(graph)
    casts = []
    for index, tensor in enumerate(model.graph.initializer):
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.ndim < 2 or values.size < LEAST or not np.abs(values).max() <= LARGEST:
            continue
        name = tensor.name
        half = numpy_helper.from_array(values.astype(np.float16), f"{name}.fp16")
        model.graph.initializer[index].CopyFrom(half)
        casts.append(helper.make_node("Cast", [half.name], [name], name=f"{name}.fp32", to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    del model.graph.value_info[:]  # what the exporter noted of the weights' types is no longer true
    onnx.save(model, target)
