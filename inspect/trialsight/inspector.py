"""The one door: a package is loaded, bytes (or pixels) go in, an inspection comes out."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trialsight.card import Card
from trialsight.detector import Detector
from trialsight.errors import FrameError, FrameFault
from trialsight.geometry.scale import Scale
from trialsight.image import ImageHeader, Limits, check_header
from trialsight.package import Package, load_package
from trialsight.prepare import check_geometry, decode_and_prepare, prepare
from trialsight.regions import Region, find_regions
from trialsight.verdict import Thresholds, Verdict, judge


@dataclass(frozen=True)
class Inspection:
    """What was found in one frame.

    `reason` says why the verdict is not `pass`. `score` and `defect_map` ((h, w) float32, higher is more defective) are
    None where the model gave none. `frame_size_px` is (width, height). `timings_ms`: decode, infer, post.
    """

    verdict: Verdict
    reason: str | None
    score: float | None
    thresholds: Thresholds
    regions: tuple[Region, ...]
    defect_map: NDArray[np.float32] | None
    frame_size_px: tuple[int, int]
    timings_ms: dict[str, float] = field(default_factory=dict)


class Inspector:
    """One loaded model. Safe to call from many threads.

    >>> inspector = Inspector.load(Path("packages/bracket/1"))      # doctest: +SKIP
    >>> inspector(Path("part.jpg").read_bytes()).verdict            # doctest: +SKIP
    <Verdict.REJECT: 'reject'>
    """

    def __init__(self, package: Package, threads: int = 1, limits: Limits | None = None) -> None:
        self.package = package
        self.limits = limits or Limits()
        self._detector = Detector(package.graph, threads)
        mm_per_px = package.card.preparation.mm_per_px
        self._scale = None if mm_per_px is None else Scale(mm_per_px)

    @classmethod
    def load(cls, folder: Path | str, threads: int = 1, limits: Limits | None = None) -> "Inspector":
        """Load and verify a package folder. Raises PackageError."""
        return cls(load_package(Path(folder)), threads, limits)

    @property
    def card(self) -> Card:
        return self.package.card

    def __call__(self, frame: bytes | NDArray[np.uint8], thresholds: Thresholds | None = None) -> Inspection:
        """Inspect encoded bytes (JPEG, PNG, BMP, TIFF) or an (H, W, 3) uint8 RGB array.

        `thresholds` overrides the card's. Raises FrameError where the frame can't be taken. A fault of the model
        itself (it fails to run, or gives no finite number) is an Inspection with `no_verdict`, never a `pass`.
        """
        started = time.perf_counter()
        preparation = self.card.preparation
        if isinstance(frame, np.ndarray):
            size = _check_array(frame)
            check_geometry(*size, preparation)
            pixels = prepare(frame, preparation)
        else:
            header = check_header(frame, self.limits)
            pixels, size = decode_and_prepare(frame, header, preparation)
        return self._judge(pixels, size, thresholds or self.card.thresholds, started)

    def check(self, data: bytes) -> ImageHeader:
        """Only the checks that need no decoding. Raises FrameError."""
        return check_header(data, self.limits)

    def _judge(
        self, pixels: NDArray[np.uint8], size: tuple[int, int], thresholds: Thresholds, started: float
    ) -> Inspection:
        decoded = time.perf_counter()
        try:
            defect_map, score = self._detector.run(pixels)
        except Exception as error:  # whatever the runtime raises, the part was not seen
            return Inspection(
                verdict=Verdict.NO_VERDICT,
                reason=f"the model failed: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
                score=None,
                thresholds=thresholds,
                regions=(),
                defect_map=None,
                frame_size_px=size,
                timings_ms={"decode": _ms(started, decoded)},
            )
        inferred = time.perf_counter()
        verdict, reason = judge(score, thresholds)
        finite = bool(np.isfinite(defect_map).all())
        if verdict is not Verdict.NO_VERDICT and not finite:
            verdict, reason = Verdict.NO_VERDICT, "the defect map holds values that are not finite numbers"
        regions = find_regions(defect_map, thresholds.region, size, self._scale) if finite else ()
        return Inspection(
            verdict=verdict,
            reason=reason,
            score=score if np.isfinite(score) else None,
            thresholds=thresholds,
            regions=regions,
            defect_map=defect_map if finite else None,
            frame_size_px=size,
            timings_ms={
                "decode": _ms(started, decoded),
                "infer": _ms(decoded, inferred),
                "post": _ms(inferred, time.perf_counter()),
            },
        )


def _check_array(frame: NDArray[np.uint8]) -> tuple[int, int]:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise FrameError(
            FrameFault.WRONG_GEOMETRY,
            f"the frame is {frame.dtype} {frame.shape}",
            "give (height, width, 3) uint8 in RGB order",
        )
    return frame.shape[1], frame.shape[0]


def _ms(start: float, end: float) -> float:
    return round((end - start) * 1000, 3)
