"""The door to simulated frames: the same seed gives the same bytes, in any order of asking."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trialsight import TrialsightError
from trialsight_datasets.simulate.brush import Canvas
from trialsight_datasets.simulate.camera import Camera
from trialsight_datasets.simulate.defects import DEFAULT_SEVERITY, KINDS, PAINTERS
from trialsight_datasets.simulate.line import SMALLEST_PX, Line
from trialsight_datasets.simulate.part import Floats, Part
from trialsight_datasets.simulate.scene import Scene
from trialsight_datasets.simulate.wear import NONE, Wear

GOOD = "good"


@dataclass(frozen=True)
class SimulatedFrame:
    """`jpeg` as a camera sends it. `mask` (H, W) bool: pixels that the defect touched. `label`: good or the kind."""

    jpeg: bytes
    mask: NDArray[np.bool_]
    label: str


class Simulator:
    """Frames of one line; left out, of the usual plate.

    `good(i)` and `defective(i, kind)` show the same part i, without and with a defect: take different i for frames that
    must not resemble each other.

    >>> Simulator(seed=1).defective(0, "scratch").label
    'scratch'
    """

    def __init__(
        self, seed: int = 0, size_px: int | None = None, camera: Camera | None = None, line: Line | None = None
    ) -> None:
        self.line = line or Line()
        size_px = size_px or self.line.size_px
        if size_px < SMALLEST_PX:
            raise TrialsightError(f"size {size_px} px is too small to show the part", f"take at least {SMALLEST_PX}")
        if seed < 0:
            raise TrialsightError(f"seed {seed} is negative", "take 0 or more")
        self.seed = seed
        self.camera = camera or self.line.camera
        self._part = Part(size_px, self.line.product, self.line.material, self.line.lamps)

    def passing(self, number: int, index: int | None = None) -> SimulatedFrame:
        """Part `number` as it comes along: with a defect as often as the line has one, seen by what has aged by then.
        `index`: another part in that place."""
        index = number if index is None else index
        defect = self.line.draw_defect(self._rng(index, "lot"))
        kind, severity = defect or (None, 0.0)
        return self._frame(index, kind, severity, self.line.wear(number))

    def good(self, index: int, wear: Wear = NONE) -> SimulatedFrame:
        return self._frame(index, None, 0.0, wear)

    def defective(self, index: int, kind: str, severity: float = DEFAULT_SEVERITY, wear: Wear = NONE) -> SimulatedFrame:
        """`kind` is one of KINDS; `severity` 0..1."""
        return self._frame(index, kind, severity, wear)

    def light(
        self, index: int, kind: str | None = None, severity: float = DEFAULT_SEVERITY, wear: Wear = NONE
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """What reaches the sensor, without noise: (H, W, 3) linear RGB and the defect's mask."""
        fixture = self.line.fixture
        scene = Scene.draw(self._rng(index, "scene"), self._part, fixture.play, fixture.turn_deg)
        scene = replace(scene, pose=wear.place(scene.pose, self._part.size_px))
        painted = scene.paint(self._part.complete)
        if kind is None:
            return self._seen(scene.view(painted), wear), np.zeros(painted.shape[:2], np.bool_)
        if kind not in PAINTERS:
            raise TrialsightError(f"defect {kind!r} can't be simulated", f"take one of {', '.join(KINDS)}")
        if kind == "missing_hole" and not self.line.product.drilled:
            raise TrialsightError(f"{self.line.name} has no drilled hole to be missing", "give its product one")
        if not 0 <= severity <= 1:
            raise TrialsightError(f"severity {severity} lies outside 0..1")
        canvas = Canvas(scene, painted, np.zeros(painted.shape[:2], np.bool_))
        PAINTERS[kind](canvas, self._rng(index, kind), severity)
        return self._seen(scene.view(canvas.rgb), wear), self.camera.look_mask(scene.view_mask(canvas.touched))

    def _frame(self, index: int, kind: str | None, severity: float, wear: Wear) -> SimulatedFrame:
        light, mask = self.light(index, kind, severity, wear)
        jpeg = self.camera.capture(light, self._rng(index, f"noise {kind}"))
        return SimulatedFrame(jpeg, mask, kind or GOOD)

    def _seen(self, light: Floats, wear: Wear) -> Floats:
        return self.camera.look(wear.dim(light))

    def _rng(self, index: int, purpose: str) -> np.random.Generator:
        """Its own stream for each use, so that no draw depends on what was asked before."""
        return np.random.Generator(np.random.SFC64([self.seed, index, *purpose.encode()]))
