"""The one door: a package is loaded, bytes (or pixels) go in, an inspection comes out."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.card import Card
from trialsight.detector import Detector, Output
from trialsight.engines import EngineName, describe_runtime
from trialsight.errors import FrameError, FrameFault, PackageError
from trialsight.health import measure
from trialsight.image import ImageHeader, Limits, check_header
from trialsight.judge import Judge
from trialsight.naming import Naming
from trialsight.package import FP32, GOLDEN, Package, load_package
from trialsight.prepare import Prepared, Preparer
from trialsight.reason import Reason
from trialsight.regions import Region
from trialsight.signals import Observer, Signals
from trialsight.tiles import TiledDetector
from trialsight.verdict import Thresholds, Verdict


@dataclass(frozen=True)
class Inspection:
    """What was found in one frame.

    `reason` says why the verdict is not `pass`, `rule` which rule decided (`score` for the thresholds). `score` and
    `defect_map` are None where there is no verdict; the map is (h, w) float32, covers the whole frame, and is 0 where
    nothing counts. Regions are in pixels of the frame as it came. `frame_size_px` is (width, height), upright.
    `timings_ms`: decode (with preparation), infer, post. `signals` and `embedding` (C,): what drift is told by, None
    where the frame didn't come that far; signals are measured when they are asked for, since no verdict needs them.
    """

    verdict: Verdict
    reason: Reason | None
    score: float | None
    thresholds: Thresholds
    regions: tuple[Region, ...]
    defect_map: NDArray[np.float32] | None
    frame_size_px: tuple[int, int]
    timings_ms: dict[str, float] = field(default_factory=dict)
    rule: str | None = None
    embedding: NDArray[np.float32] | None = None
    observe: Callable[[], Signals] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def signals(self) -> Signals | None:
        return None if self.observe is None else self.observe()


class Inspector:
    """One loaded model. Safe to call from many threads. `runtime` says what computes it, for logs.

    >>> inspector = Inspector.load(Path("packages/bracket/1"))      # doctest: +SKIP
    >>> inspector(Path("part.jpg").read_bytes()).verdict            # doctest: +SKIP
    <Verdict.REJECT: 'reject'>
    """

    def __init__(
        self,
        package: Package,
        threads: int = 1,
        limits: Limits | None = None,
        engine: EngineName | None = None,
    ) -> None:
        cv2.setNumThreads(threads)  # OpenCV has a pool for the process, on cores that others compute on
        self.package = package
        self.limits = limits or Limits()
        variant = package.variant
        engine = engine or (variant.engine if variant else None) or "onnxruntime"
        detector = Detector(package.graph, threads, engine, variant.precision if variant else "f32")
        tiling = package.card.preparation.tiling
        self._detector = detector if tiling is None else TiledDetector(detector, tiling)
        self.runtime = describe_runtime(package.variant_name, engine, threads)
        self._preparer = Preparer(package.card.preparation, package.reference())
        preparation = package.card.preparation
        try:
            # A first run on a blank frame: finds a model that can't run before a part depends on it, and warms it.
            blank = np.zeros((preparation.height_px, preparation.width_px, 3), np.uint8)
            seen = self._detector.run(blank)
            self.map_shape = (seen.defect_map.shape[0], seen.defect_map.shape[1])
            _check_classes(package.card.judging.naming, seen)
            self._judge = Judge(package.card, self.map_shape)
            self._observe = Observer(self._good_picture())
        except Exception as error:  # ONNX Runtime's exceptions share no base class
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise PackageError(f"{package.folder} doesn't run: {problem}", "train or export it again") from error

    @classmethod
    def load(
        cls,
        folder: Path | str,
        threads: int = 1,
        limits: Limits | None = None,
        variant: str = FP32,
        engine: EngineName | None = None,
    ) -> "Inspector":
        """Load and verify a package folder. `variant`: which of the package's graphs. `engine`: what runs it; left out,
        ONNX Runtime. `threads`: that one call computes on; OpenCV has one setting for the process, so there the last
        one that was loaded counts. Raises PackageError."""
        return cls(load_package(Path(folder)).as_variant(variant), threads, limits, engine)

    @property
    def card(self) -> Card:
        return self.package.card

    def __call__(self, frame: bytes | NDArray[np.uint8], thresholds: Thresholds | None = None) -> Inspection:
        """Inspect encoded bytes (JPEG, PNG, BMP, TIFF) or an (H, W, 3) uint8 RGB array.

        `thresholds` overrides the card's. Raises FrameError where the frame can't be taken. A fault of the model
        itself (it fails to run, or gives no finite number) is an Inspection with `no_verdict`, never a `pass`.
        """
        started = time.perf_counter()
        if isinstance(frame, np.ndarray):
            _check_array(frame)
            prepared = self._preparer.array(frame)
        else:
            prepared = self._preparer.decode(frame, check_header(frame, self.limits))
        return self._inspect(prepared, thresholds or self.card.thresholds, started)

    def run_graph(self, frame: NDArray[np.uint8]) -> Output:
        """What the graph alone (with its tiles) says of (H, W, 3) RGB pixels that are prepared already; numbers, not a
        verdict."""
        return self._detector.run(frame)

    def check(self, data: bytes) -> ImageHeader:
        """Only the checks that need no decoding. Raises FrameError."""
        return check_header(data, self.limits)

    def _good_picture(self) -> NDArray[np.uint8] | None:
        """The first golden frame that must pass, as the model sees it, in gray."""
        for golden in self.card.golden:
            if golden.verdict is Verdict.PASS:
                data = (self.package.folder / GOLDEN / golden.file).read_bytes()
                return self._preparer.decode(data, check_header(data, Limits())).gray
        return None

    def _inspect(self, prepared: Prepared, thresholds: Thresholds, started: float) -> Inspection:
        decoded = time.perf_counter()
        timings = {"decode": _ms(started, decoded)}
        health = measure(prepared.gray)
        observe = partial(self._observe, prepared, health)
        if (fault := self._judge.unfit(prepared, health)) is not None:
            return _no_verdict(fault, prepared, thresholds, timings, observe)
        try:
            seen = self._detector.run(prepared.pixels)
        except Exception as error:  # whatever the runtime raises, the part was not seen
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
            return _no_verdict(Reason("model_failed", problem=problem), prepared, thresholds, timings, observe)
        inferred = time.perf_counter()
        timings["infer"] = _ms(decoded, inferred)
        if not math.isfinite(seen.score) or not cv2.checkRange(seen.defect_map)[0]:
            return _no_verdict(Reason("not_finite"), prepared, thresholds, timings, observe)
        if (fault := self._judge.unlike(seen.embedding)) is not None:
            return _no_verdict(fault, prepared, thresholds, timings, observe, seen.embedding)
        judged = self._judge(seen.defect_map, seen.score, prepared, thresholds, seen.class_map)
        timings["post"] = _ms(inferred, time.perf_counter())
        return Inspection(
            verdict=judged.ruling.verdict,
            reason=judged.ruling.reason,
            rule=judged.ruling.rule,
            score=judged.score,
            thresholds=thresholds,
            regions=judged.regions,
            defect_map=judged.frame_map,
            frame_size_px=prepared.frame_size_px,
            timings_ms=timings,
            embedding=seen.embedding,
            observe=observe,
        )


def _no_verdict(
    reason: Reason,
    prepared: Prepared,
    thresholds: Thresholds,
    timings_ms: dict[str, float],
    observe: Callable[[], Signals],
    embedding: NDArray[np.float32] | None = None,
) -> Inspection:
    return Inspection(
        verdict=Verdict.NO_VERDICT,
        reason=reason,
        score=None,
        thresholds=thresholds,
        regions=(),
        defect_map=None,
        frame_size_px=prepared.frame_size_px,
        timings_ms=timings_ms,
        embedding=embedding,
        observe=observe,
    )


def _check_classes(naming: Naming | None, seen: Output) -> None:
    if naming is None:
        return
    planes = 0 if seen.class_map is None else len(seen.class_map)
    if planes != len(naming.classes):
        raise ValueError(f"the card names {len(naming.classes)} classes, the graph gives {planes}")


def _check_array(frame: NDArray[np.uint8]) -> None:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise FrameError(
            FrameFault.WRONG_GEOMETRY,
            f"the frame is {frame.dtype} {frame.shape}",
            "give (height, width, 3) uint8 in RGB order",
        )


def _ms(start: float, end: float) -> float:
    return round((end - start) * 1000, 3)
