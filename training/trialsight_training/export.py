"""The fitted model to an ONNX file, checked against torch before anybody may use it."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from trialsight.detector import INPUT
from trialsight.errors import TrialsightError
from trialsight_training.detectors.graph import Detector
from trialsight_training.quiet import quiet

OPSET = 18
# Largest difference between torch and ONNX Runtime that is taken, relative to the largest value.
TOLERANCE = 1e-3


def export_onnx(model: Detector, frame_size_px: tuple[int, int], path: Path) -> None:
    """Write `model` with a dynamic batch for frames of `frame_size_px` (width, height)."""
    width, height = frame_size_px
    # Two frames: a batch of one would be taken for a constant.
    example = torch.zeros(2, height, width, 3, dtype=torch.uint8)
    with quiet("torch.onnx", "onnxscript"):
        torch.onnx.export(
            model,
            (example,),
            path,
            dynamo=True,
            input_names=[INPUT],
            output_names=model.outputs,
            dynamic_shapes={"frame": {0: torch.export.Dim("N", min=1)}},
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )


@torch.no_grad()
def check_parity(model: Detector, path: Path, frames: NDArray[np.uint8]) -> float:
    """The largest relative difference over `frames` (N, H, W, 3), alone and together.

    Raises TrialsightError above TOLERANCE, or where the graph fails to run.
    """
    import onnxruntime as ort

    try:
        session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        worst = max(_difference(model, session, batch) for batch in (frames, *frames[:, np.newaxis]))
    except Exception as error:  # ONNX Runtime's own exception types share no base class
        raise TrialsightError(
            f"the exported graph {path} does not run: {str(error).splitlines()[0]}", "nothing was released"
        ) from error
    if not worst <= TOLERANCE:
        raise TrialsightError(
            f"the exported graph differs from the trained model by {worst:.2g} of the largest value, "
            f"at most {TOLERANCE:g} is taken",
            "nothing was released; another backbone or torch version may export faithfully",
        )
    return worst


def _difference(model: Detector, session: object, batch: NDArray[np.uint8]) -> float:
    expected = [one.numpy() for one in model(torch.from_numpy(batch))]
    found = session.run(model.outputs, {INPUT: batch})  # type: ignore[attr-defined]
    scales = [max(float(np.abs(one).max()), 1e-6) for one in expected]
    # A NaN on either side makes the maximum NaN, which no tolerance takes.
    return float(np.max([np.abs(e - f).max() / s for e, f, s in zip(expected, found, scales, strict=True)]))
