"""A package on a labelled set, through the door that serves: what is measured is what will run."""

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
    """A test sample and what the package said of it."""

    sample: Sample
    verdict: Verdict
    score: float
    defect_map: NDArray[np.float32]
    frame_size_px: tuple[int, int]


@dataclass(frozen=True)
class Evaluation:
    """`metrics` are None where the set has no labels or no masks for them."""

    judged: tuple[Judged, ...]
    metrics: dict[str, float | None]


def evaluate_package(
    inspector: Inspector, samples: Sequence[Sample], step: Callable[[], None] = lambda: None
) -> Evaluation:
    """Pixel metrics are taken at frame resolution over the samples that are good or have a mask.

    `step` is called twice a sample. Raises TrialsightError where a frame can't be taken or the model gives no score.
    """
    judged = []
    for sample in samples:
        judged.append(judge_sample(inspector, sample))
        step()
    defective = [not one.sample.is_good for one in judged]
    metrics = image_metrics(defective, [one.score for one in judged])
    metrics |= _pixel_metrics(judged, step)
    metrics |= {
        "good": float(defective.count(False)),
        "defective": float(defective.count(True)),
        "false_rejects": float(_count(judged, Verdict.REJECT, good=True)),
        "escapes": float(_count(judged, Verdict.PASS, good=False)),
        "reviews": float(sum(one.verdict is Verdict.REVIEW for one in judged)),
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
    if found.score is None or found.defect_map is None:
        raise TrialsightError(f"the model gives no verdict on {sample.path}: {found.reason}", "train it again")
    return Judged(sample, found.verdict, found.score, found.defect_map, found.frame_size_px)


def _count(judged: Sequence[Judged], verdict: Verdict, good: bool) -> int:
    return sum(one.verdict is verdict and one.sample.is_good is good for one in judged)


def _pixel_metrics(judged: Sequence[Judged], step: Callable[[], None]) -> dict[str, float | None]:
    if not judged:
        return {"pixel_auroc": None, "aupro": None}
    counts = PixelCounts(
        lowest=min(float(one.defect_map.min()) for one in judged),
        highest=max(float(one.defect_map.max()) for one in judged),
    )
    for one in judged:
        mask = load_mask(one.sample, one.frame_size_px)
        if mask is not None:
            resized = cv2.resize(one.defect_map, one.frame_size_px, interpolation=cv2.INTER_LINEAR)
            counts.add(np.asarray(resized, np.float32), mask)
        step()
    return counts.metrics()
