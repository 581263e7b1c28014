"""Import torchvision through here: `from trialsight_training.torchvision_schemas import torchvision`.

torchvision's wheel on the public index is a CUDA build. Beside a CPU-only torch its extension can't be loaded, and its
Python part then stops at `operator torchvision::nms does not exist`, though nothing that we use needs that operator.
Declaring the two missing schemas is enough for models and transforms to work.
"""

import importlib.util
from pathlib import Path

import torch

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def _declare_missing() -> torch.library.Library | None:
    """The library that holds the declarations, or None where torchvision's own extension loads and makes them."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("No module named 'torchvision'", name="torchvision")
    for extension in sorted(Path(spec.origin).parent.glob("_C*.*")):
        try:
            torch.ops.load_library(str(extension))  # type: ignore[no-untyped-call]
            return None
        except OSError:
            continue
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    return library


# The declarations live as long as this object does.
LIBRARY = _declare_missing()

import torchvision  # noqa: E402

__all__ = ["LIBRARY", "torchvision"]
