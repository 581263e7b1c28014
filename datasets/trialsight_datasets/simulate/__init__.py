"""A simulated product, its defects with exact masks, and the camera that sees it."""

from trialsight_datasets.simulate.camera import Camera
from trialsight_datasets.simulate.defects import DEFAULT_SEVERITY, KINDS
from trialsight_datasets.simulate.line import Line, load_line
from trialsight_datasets.simulate.simulator import GOOD, SimulatedFrame, Simulator
from trialsight_datasets.simulate.wear import Wear

__all__ = [
    "DEFAULT_SEVERITY",
    "GOOD",
    "KINDS",
    "Camera",
    "Line",
    "SimulatedFrame",
    "Simulator",
    "Wear",
    "load_line",
]
