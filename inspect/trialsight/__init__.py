"""Trialsight's pure core: a frame goes in, a verdict comes out. numpy, OpenCV and ONNX Runtime only."""

from trialsight.errors import FrameError, PackageError, RecipeError, TrialsightError
from trialsight.inspector import Inspection, Inspector
from trialsight.verdict import Thresholds, Verdict

__version__ = "0.1.0"

__all__ = [
    "FrameError",
    "Inspection",
    "Inspector",
    "PackageError",
    "RecipeError",
    "Thresholds",
    "TrialsightError",
    "Verdict",
]
