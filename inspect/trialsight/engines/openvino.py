"""OpenVINO on the processor, from the same ONNX file (its own package: onnxruntime-openvino would replace onnxruntime).

Left to itself OpenVINO computes in bfloat16 on processors with AMX, which moves scores; here the precision is said.
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from trialsight.engines.engine import cores

_TYPES = {"u8": "uint8"}


class OpenVino:
    """As many streams as calls can run side by side, each of `threads`; a call takes a free request and puts it back.

    The batch is fixed at one frame, which compiles to faster code than a dynamic one.
    """

    def __init__(self, graph: Path, threads: int, precision: str) -> None:
        core = ov.Core()
        model = core.read_model(graph)
        shapes = {}
        for port in model.inputs:
            shapes[port] = port.partial_shape
            shapes[port][0] = 1
        model.reshape(shapes)
        streams = max(1, cores() // threads)
        wanted = {
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams * threads,
            "INFERENCE_PRECISION_HINT": precision,
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled = core.compile_model(model, "CPU", wanted)
        self._free: deque[ov.InferRequest] = deque()
        self.inputs = {
            port.any_name: _TYPES.get(port.element_type.get_type_name(), port.element_type.get_type_name())
            for port in model.inputs
        }
        self.outputs = frozenset(port.any_name for port in model.outputs)

    def run(self, frame: NDArray[np.uint8], wanted: Sequence[str]) -> list[NDArray[np.float32]]:
        try:
            request = self._free.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        request.infer([frame], share_inputs=True)
        # Copied: the request's own memory is written over by its next call.
        found = [np.array(request.get_tensor(name).data) for name in wanted]
        self._free.append(request)
        return found
