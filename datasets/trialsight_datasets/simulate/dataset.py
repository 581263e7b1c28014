"""A simulated image set on disk, in the MVTec layout."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight import TrialsightError
from trialsight.files import move_folder, remove_folder
from trialsight_datasets.read import read_image_set
from trialsight_datasets.sample import GOOD, ImageSet
from trialsight_datasets.simulate.defects import DEFAULT_SEVERITY, KINDS
from trialsight_datasets.simulate.line import Line
from trialsight_datasets.simulate.simulator import Simulator
from trialsight_datasets.simulate.source import FIRST_INDEX


@dataclass(frozen=True)
class Plan:
    """`good` parts to train on, `test_good` to test on, `defects` of each kind to test on. `line`: None for the usual
    plate; one that names its defects gives their severities too."""

    good: int = 20
    test_good: int = 10
    defects: int = 4
    seed: int = 0
    size_px: int | None = None
    severity: float = DEFAULT_SEVERITY
    line: Line | None = None

    def __post_init__(self) -> None:
        if self.good < 1 or self.test_good < 0 or self.defects < 0:
            raise TrialsightError(
                f"a set of {self.good} good parts, {self.test_good} for testing and {self.defects} of each defect "
                "can't be simulated",
                "take at least 1 good part, and 0 or more of the others",
            )
        if self.total > FIRST_INDEX:
            raise TrialsightError(f"a set of {self.total} images is too large", f"take at most {FIRST_INDEX}")

    @property
    def total(self) -> int:
        return self.good + self.test_good + self.defects * len(self.kinds)

    @property
    def kinds(self) -> tuple[str, ...]:
        return KINDS if self.line is None else self.line.kinds

    def severity_of(self, index: int, kind: str) -> float:
        if self.line is None or kind not in self.line.defects:
            return self.severity
        rng = np.random.default_rng([self.seed, index, FIRST_INDEX])
        return float(rng.uniform(*self.line.defects[kind].severity))

    def frames(self) -> Iterator[tuple[str, str, str | None]]:
        """Split, name and defect of each image, in the order of the parts' indices."""
        groups: list[tuple[str, int, str | None]] = [("train", self.good, None), ("test", self.test_good, None)]
        groups += [("test", self.defects, kind) for kind in self.kinds]
        for split, count, kind in groups:
            for number in range(count):
                yield split, f"{number:03d}", kind


def write_simulated(out: Path, plan: Plan, on_image: Callable[[], None] | None = None) -> ImageSet:
    """Write the set and read it back. No part is shown twice, and the same plan gives the same bytes.

    The folder appears when it is complete. Raises TrialsightError where `out` exists and isn't an empty folder.
    """
    out = out.expanduser().resolve()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise TrialsightError(f"{out} exists already", "name a folder that doesn't, or remove this one")
    simulator = Simulator(plan.seed, plan.size_px, line=plan.line)
    unfinished = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        for index, (split, name, kind) in enumerate(plan.frames()):
            if kind is None:
                frame = simulator.good(index)
            else:
                frame = simulator.defective(index, kind, plan.severity_of(index, kind))
            _write(unfinished / split / frame.label / f"{name}.jpg", frame.jpeg)
            if frame.label != GOOD:
                _write(unfinished / "ground_truth" / frame.label / f"{name}_mask.png", _png(frame.mask))
            if on_image is not None:
                on_image()
        _write(unfinished / "simulation.json", json.dumps(asdict(plan), indent=2).encode() + b"\n")
        if out.exists():
            out.rmdir()
        move_folder(unfinished, out)
    except OSError as error:
        raise TrialsightError(f"{out} can't be written: {error.strerror}") from error
    finally:
        remove_folder(unfinished)
    return read_image_set(out)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _png(mask: NDArray[np.bool_]) -> bytes:
    return cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes()
