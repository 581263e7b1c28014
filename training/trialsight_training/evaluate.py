"""A package on a labelled set, through the door that serves: what is measured is what will run."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.errors import FrameError, TrialsightError
from trialsight.inspector import Inspection, Inspector
from trialsight.verdict import Verdict
from trialsight_datasets.pixels import load_mask, read_bytes
from trialsight_datasets.sample import Sample
from trialsight_training.metrics import PixelCounts, image_metrics


@dataclass(frozen=True)
class Judged:
    """A test sample and what the package said of it. `score` and `defect_map` ((h, w) over the whole frame) are None
    where there was no verdict."""

    sample: Sample
    verdict: Verdict
    score: float | None
    defect_map: NDArray[np.float32] | None
    frame_size_px: tuple[int, int]

    @property
    def rank(self) -> float:
        """The score; without a verdict a part can't pass, so it ranks above all scores."""
        return math.inf if self.score is None else self.score


@dataclass(frozen=True)
class Evaluation:
    """`metrics` are None where the set has no labels or no masks for them."""

    judged: tuple[Judged, ...]
    metrics: dict[str, float | None]


def evaluate_package(
    inspector: Inspector, samples: Sequence[Sample], step: Callable[[], None] = lambda: None
) -> Evaluation:
    """Pixel metrics are taken at frame resolution over the samples that are good or have a mask.

    Those without a verdict (bad light, misaligned) have no map and count for none. `step` is called twice a sample.
    Raises TrialsightError where a frame can't be taken.
    """
    judged = []
    for sample in samples:
        judged.append(judge_sample(inspector, sample))
        step()
    defective = [not one.sample.is_good for one in judged]
    metrics = image_metrics(defective, [one.rank for one in judged])
    metrics |= _pixel_metrics(judged, step)
    metrics |= {
        "good": float(defective.count(False)),
        "defective": float(defective.count(True)),
        "false_rejects": float(_count(judged, Verdict.REJECT, good=True)),
        "escapes": float(_count(judged, Verdict.PASS, good=False)),
        "reviews": float(_count(judged, Verdict.REVIEW)),
        "no_verdicts": float(_count(judged, Verdict.NO_VERDICT)),
    }
    return Evaluation(tuple(judged), metrics)


def judge_sample(inspector: Inspector, sample: Sample) -> Judged:
    return judge_bytes(inspector, sample, read_bytes(sample.path)[0])


def judge_bytes(inspector: Inspector, sample: Sample, data: bytes) -> Judged:
    """`data` in place of the sample's own file. Raises TrialsightError that names the sample."""
    try:
        found: Inspection = inspector(data)
    except FrameError as error:
        raise TrialsightError(f"{sample.path}: {error.problem}", error.remedy) from error
    return Judged(sample, found.verdict, found.score, found.defect_map, found.frame_size_px)


def _count(judged: Sequence[Judged], verdict: Verdict, good: bool | None = None) -> int:
    """Among good parts, defective ones, or all."""
    return sum(one.verdict is verdict and good in (None, one.sample.is_good) for one in judged)


def _pixel_metrics(judged: Sequence[Judged], step: Callable[[], None]) -> dict[str, float | None]:
    maps = [one.defect_map for one in judged if one.defect_map is not None]
    counts = PixelCounts(
        lowest=min((float(one.min()) for one in maps), default=0.0),
        highest=max((float(one.max()) for one in maps), default=1.0),
    )
    for one in judged:
        mask = load_mask(one.sample, one.frame_size_px)
        if mask is not None and one.defect_map is not None:
            resized = cv2.resize(one.defect_map, one.frame_size_px, interpolation=cv2.INTER_LINEAR)
            counts.add(np.asarray(resized, np.float32), mask)
        step()
    return counts.metrics()
