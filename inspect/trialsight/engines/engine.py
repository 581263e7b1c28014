"""What a runtime must do to run a graph, and the runtimes that are at hand."""

import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from trialsight.errors import TrialsightError

EngineName = Literal["onnxruntime", "openvino"]
# Engine to the distribution that brings it, the one that is always there first.
ENGINES: dict[EngineName, str] = {"onnxruntime": "onnxruntime", "openvino": "openvino"}


class Engine(Protocol):
    """A loaded graph. `run` may be called from many threads at once; each call computes on the threads it was given.

    `inputs`: name to element type, as ONNX names them (`uint8`). `outputs`: names, in any order.
    """

    inputs: dict[str, str]
    outputs: frozenset[str]

    def run(self, frame: NDArray[np.uint8], wanted: Sequence[str]) -> list[NDArray[np.float32]]:
        """(1, H, W, 3) to the `wanted` outputs."""
        ...


def open_engine(name: EngineName, graph: Path, threads: int, precision: str) -> Engine:
    """`precision`: `f32`, or `bf16` where the engine can. Raises TrialsightError where the engine isn't installed, and
    whatever the engine raises where the graph can't be loaded."""
    if name == "openvino":
        if name not in installed_engines():
            raise TrialsightError("OpenVINO is not installed", "pip install 'trialsight[openvino]'")
        from trialsight.engines.openvino import OpenVino

        return OpenVino(graph, threads, precision)
    if precision != "f32":
        raise TrialsightError(f"ONNX Runtime can't compute in {precision}", "name the engine openvino")
    from trialsight.engines.onnxruntime import OnnxRuntime

    return OnnxRuntime(graph, threads)


def installed_engines() -> dict[EngineName, str]:
    """Engine to its version."""
    found: dict[EngineName, str] = {}
    for name, distribution in ENGINES.items():
        try:
            found[name] = version(distribution)
        except PackageNotFoundError:
            continue
    return found


def describe_runtime(variant: str, engine: EngineName, threads: int) -> str:
    """`int8 in openvino 2026.4.1, 1 thread`."""
    known = installed_engines().get(engine, "")
    return f"{variant} in {engine} {known}, {threads} thread{'s' if threads != 1 else ''}"


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
