"""The exported graph in ONNX Runtime: input `frame` uint8 (N, H, W, 3) RGB, outputs `defect_map` and `score`.

A graph may also give `embedding` (N, C), by which a frame of another product is told.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from trialsight.errors import PackageError

INPUT = "frame"
OUTPUTS = ["defect_map", "score"]
EMBEDDING = "embedding"


class Output(NamedTuple):
    """`defect_map`: (h, w) float32. `embedding`: (C,) float32 of unit length, None where the graph gives none."""

    defect_map: NDArray[np.float32]
    score: float
    embedding: NDArray[np.float32] | None


class Detector:
    """One shared session; `run` may be called from many threads at once.

    One thread a call and no spinning: with as many callers as cores this beats one call on many threads
    (1.3-2x on two cores), and idle workers leave the cores alone.
    """

    def __init__(self, graph: Path, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own exception types share no base class
            raise PackageError(f"{graph} can't be loaded: {str(error).splitlines()[0]}", "export it again") from error
        inputs = {node.name: node.type for node in self._session.get_inputs()}
        outputs = {node.name for node in self._session.get_outputs()}
        if inputs != {INPUT: "tensor(uint8)"} or not outputs.issuperset(OUTPUTS):
            raise PackageError(f"{graph} takes {inputs} and gives {sorted(outputs)}, not the package contract's graph")

        self._wanted = [*OUTPUTS, EMBEDDING] if EMBEDDING in outputs else OUTPUTS

    def run(self, frame: NDArray[np.uint8]) -> Output:
        """(H, W, 3) RGB to what the graph says of it."""
        defect_map, score, *embedding = self._session.run(self._wanted, {INPUT: frame[np.newaxis]})
        return Output(defect_map[0], float(score[0]), embedding[0][0] if embedding else None)
