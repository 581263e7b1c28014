"""A package on a labelled set, through the door that serves: what is measured is what will run."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.errors import FrameError, TrialsightError
from trialsight.inspector import Inspection, Inspector
from trialsight.naming import Naming
from trialsight.regions import Region
from trialsight.verdict import Verdict
from trialsight_datasets.pixels import load_mask, read_bytes
from trialsight_datasets.sample import GOOD, Sample
from trialsight_training.intervals import Rate, rate
from trialsight_training.metrics import Curve, PixelCounts, image_metrics


@dataclass(frozen=True)
class Judged:
    """A test sample and what the package said of it. `score` and `defect_map` ((h, w) over the whole frame) are None
    where there was no verdict."""

    sample: Sample
    verdict: Verdict
    score: float | None
    defect_map: NDArray[np.float32] | None
    frame_size_px: tuple[int, int]
    regions: tuple[Region, ...] = ()

    @property
    def rank(self) -> float:
        """The score; without a verdict a part can't pass, so it ranks above all scores."""
        return math.inf if self.score is None else self.score


@dataclass(frozen=True)
class ClassResult:
    """What became of the parts of one label. `wrong`: of good parts those rejected, of defective ones those passed.
    `image_auroc`: the defect's scores against those of good parts, None for good parts and where there are none.
    `regions`: how many of the parts' regions the model gave each class, None of them: no class; empty where it names
    none. Of parts with a mask those that lie on it, of others the strongest one, of good parts all."""

    label: str
    verdicts: dict[str, int]
    wrong: Rate
    image_auroc: float | None
    regions: dict[str | None, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "parts": self.wrong.of,
            **self.verdicts,
            "false_reject_rate" if self.label == GOOD else "escape_rate": self.wrong.rate,
            "low": self.wrong.low,
            "high": self.wrong.high,
            "image_auroc": self.image_auroc,
            "regions": {name or "": count for name, count in self.regions.items()},
        }


@dataclass(frozen=True)
class Evaluation:
    """`metrics` are None where the set has no labels or no masks for them. `classes`: good parts first.

    `curves`: over pixels, as PixelCounts gives them. `overlaps`: AUPIMO of each defective part that has a mask and a
    map, by its place in `judged`.
    """

    judged: tuple[Judged, ...]
    metrics: dict[str, float | None]
    classes: tuple[ClassResult, ...] = ()
    curves: dict[str, Curve] = field(default_factory=dict)
    overlaps: dict[int, float] = field(default_factory=dict)


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
    counts, masked = _count_pixels(judged, step)
    rejected, passed = _rate(judged, Verdict.REJECT, good=True), _rate(judged, Verdict.PASS, good=False)
    metrics = image_metrics(defective, [one.rank for one in judged]) | counts.metrics()
    metrics |= {
        "good": float(rejected.of),
        "defective": float(passed.of),
        "false_rejects": float(rejected.count),
        "false_reject_rate": rejected.rate,
        "false_reject_low": rejected.low,
        "false_reject_high": rejected.high,
        "escapes": float(passed.count),
        "escape_rate": passed.rate,
        "escape_low": passed.low,
        "escape_high": passed.high,
        "reviews": float(_count(judged, Verdict.REVIEW)),
        "no_verdicts": float(_count(judged, Verdict.NO_VERDICT)),
    }
    overlaps = dict(zip(masked, counts.overlaps().tolist(), strict=False))
    naming = inspector.card.judging.naming
    classes = class_results(judged, naming is not None)
    if naming is not None:
        metrics |= named_rightly(classes, naming)
    return Evaluation(tuple(judged), metrics, classes, counts.curves(), overlaps)


def class_results(judged: Sequence[Judged], names: bool = False) -> tuple[ClassResult, ...]:
    """Good parts first, then the defects by name. `names`: whether the model gives classes."""
    good = [one for one in judged if one.sample.is_good]
    found = []
    for label in sorted({one.sample.label for one in judged}, key=lambda label: (label != GOOD, label)):
        own = [one for one in judged if one.sample.label == label]
        is_good = label == GOOD
        ranks = [one.rank for one in [*good, *own]]
        auroc = None if is_good else image_metrics([False] * len(good) + [True] * len(own), ranks)["image_auroc"]
        verdicts = {verdict.value: _count(own, verdict) for verdict in Verdict}
        wrong = _rate(own, Verdict.REJECT if is_good else Verdict.PASS, good=is_good)
        regions = dict(Counter(name for one in own for name in _classes_given(one))) if names else {}
        found.append(ClassResult(label, verdicts, wrong, auroc, regions))
    return tuple(found)


def named_rightly(classes: Sequence[ClassResult], naming: Naming) -> dict[str, float | None]:
    """Of the regions of defects whose class the model knows: how many are given a class, how many of these rightly."""
    known = [one for one in classes if one.label in naming.classes]
    found = sum(sum(one.regions.values()) for one in known)
    named = found - sum(one.regions.get(None, 0) for one in known)
    right = sum(one.regions.get(one.label, 0) for one in known)
    return {"regions_named": named / found if found else None, "named_rightly": right / named if named else None}


def _classes_given(one: Judged) -> list[str | None]:
    if one.sample.is_good:
        return [region.defect_class for region in one.regions]
    mask = load_mask(one.sample, one.frame_size_px)
    if mask is None:
        return [region.defect_class for region in one.regions[:1]]
    return [region.defect_class for region in one.regions if _lies_on(region, mask)]


def _lies_on(region: Region, mask: NDArray[np.bool_]) -> bool:
    """Whether the (H, W) mask marks a pixel within the region's outline."""
    inside = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(inside, [np.round(np.array(region.contour)).astype(np.int32)], 1)
    return bool((mask & (inside > 0)).any())


def judge_sample(inspector: Inspector, sample: Sample) -> Judged:
    return judge_bytes(inspector, sample, read_bytes(sample.path)[0])


def judge_bytes(inspector: Inspector, sample: Sample, data: bytes) -> Judged:
    """`data` in place of the sample's own file. Raises TrialsightError that names the sample."""
    try:
        found: Inspection = inspector(data)
    except FrameError as error:
        raise TrialsightError(f"{sample.path}: {error.problem}", error.remedy) from error
    return Judged(sample, found.verdict, found.score, found.defect_map, found.frame_size_px, found.regions)


def _count(judged: Sequence[Judged], verdict: Verdict, good: bool | None = None) -> int:
    """Among good parts, defective ones, or all."""
    return sum(one.verdict is verdict and good in (None, one.sample.is_good) for one in judged)


def _rate(judged: Sequence[Judged], verdict: Verdict, good: bool) -> Rate:
    return rate(_count(judged, verdict, good), sum(one.sample.is_good is good for one in judged))


def _count_pixels(judged: Sequence[Judged], step: Callable[[], None]) -> tuple[PixelCounts, list[int]]:
    """And which parts are the defective frames that were counted."""
    maps = [one.defect_map for one in judged if one.defect_map is not None]
    counts = PixelCounts(
        lowest=min((float(one.min()) for one in maps), default=0.0),
        highest=max((float(one.max()) for one in maps), default=1.0),
    )
    masked = []
    for index, one in enumerate(judged):
        mask = load_mask(one.sample, one.frame_size_px)
        if mask is not None and one.defect_map is not None:
            resized = cv2.resize(one.defect_map, one.frame_size_px, interpolation=cv2.INTER_LINEAR)
            counts.add(np.asarray(resized, np.float32), mask)
            if mask.any():
                masked.append(index)
        step()
    return counts, masked
