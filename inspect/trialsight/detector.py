"""The exported graph in a runtime: input `frame` uint8 (N, H, W, 3) RGB, outputs `defect_map` and `score`.

A graph may also give `embedding` (N, C), by which a frame of another product is told, and `class_map` (N, K, h, w), how
likely each place is of each class of defect that the card names.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsight.engines import EngineName, open_engine
from trialsight.errors import PackageError, TrialsightError

INPUT = "frame"
OUTPUTS = ["defect_map", "score"]
EMBEDDING = "embedding"
CLASS_MAP = "class_map"


class Output(NamedTuple):
    """`defect_map`: (h, w) float32. `embedding`: (C,) float32 of unit length, None where the graph gives none, as
    `class_map`: (K, h, w) float32, over the same picture as the defect map and perhaps coarser."""

    defect_map: NDArray[np.float32]
    score: float
    embedding: NDArray[np.float32] | None
    class_map: NDArray[np.float32] | None = None


class Detector:
    """One loaded graph; `run` may be called from many threads at once, each call computes on `threads`."""

    def __init__(
        self, graph: Path, threads: int = 1, engine: EngineName = "onnxruntime", precision: str = "f32"
    ) -> None:
        try:
            self._engine = open_engine(engine, graph, threads, precision)
        except TrialsightError:
            raise
        except Exception as error:  # the runtimes' own exception types share no base class
            raise PackageError(f"{graph} can't be loaded: {str(error).splitlines()[0]}", "export it again") from error
        inputs, outputs = self._engine.inputs, self._engine.outputs
        if inputs != {INPUT: "uint8"} or not outputs.issuperset(OUTPUTS):
            raise PackageError(f"{graph} takes {inputs} and gives {sorted(outputs)}, not the package contract's graph")
        self._further = [name for name in (EMBEDDING, CLASS_MAP) if name in outputs]
        self._wanted = [*OUTPUTS, *self._further]

    def run(self, frame: NDArray[np.uint8]) -> Output:
        """(H, W, 3) RGB to what the graph says of it."""
        defect_map, score, *further = self._engine.run(frame[np.newaxis], self._wanted)
        more = {name: one[0] for name, one in zip(self._further, further, strict=True)}
        return Output(defect_map[0], float(score[0]), more.get(EMBEDDING), more.get(CLASS_MAP))
