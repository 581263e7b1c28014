"""A simulated line camera: endless frames of one product, a share of them defective."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np

from trialsight import TrialsightError
from trialsight.source import CameraFrame
from trialsight_datasets.simulate.defects import KINDS
from trialsight_datasets.simulate.line import load_line
from trialsight_datasets.simulate.simulator import Simulator

# Image sets count their parts from 0. A camera starts where none of them reaches, so that no frame that it sends
# was ever trained on, whatever the seeds.
FIRST_INDEX = 1_000_000


def simulated(seed: int, defect_share: float, line: str | None = None) -> Iterator[CameraFrame]:
    """The frame source `simulated`. `defect_share` 0..1 of the parts are defective, each kind as often as another;
    `line`: a file that says what comes along instead, and what ages."""
    if line is not None:
        return _passing(Simulator(seed, line=load_line(Path(line))))
    if not 0 <= defect_share <= 1:
        raise TrialsightError(
            f"defect share {defect_share} lies outside 0..1", "0.3 makes three parts in ten defective"
        )
    return _frames(Simulator(seed), np.random.default_rng([seed, FIRST_INDEX]), defect_share)


def _passing(simulator: Simulator) -> Iterator[CameraFrame]:
    for number in count():
        frame = simulator.passing(number, FIRST_INDEX + number)
        yield CameraFrame(frame.jpeg, "image/jpeg", f"SIM-{simulator.seed}-{number:06d}", frame.label)


def _frames(simulator: Simulator, lots: np.random.Generator, defect_share: float) -> Iterator[CameraFrame]:
    for index in count(FIRST_INDEX):
        kind = str(lots.choice(KINDS)) if lots.random() < defect_share else None
        frame = simulator.good(index) if kind is None else simulator.defective(index, kind)
        yield CameraFrame(frame.jpeg, "image/jpeg", f"SIM-{simulator.seed}-{index - FIRST_INDEX:06d}", frame.label)
