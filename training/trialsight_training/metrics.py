"""Image and pixel metrics, counted exactly to one of 65,536 steps of score.

AUROC and average precision; AUPRO (Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021, section 5.1);
AUPIMO (Bertoldo et al., "AUPIMO: Redefining Anomaly Localization Benchmarks with High Speed and Low Tolerance",
BMVC 2024).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

BINS = 1 << 16
MAX_FPR = 0.3
# AUPIMO's bounds of the false-positive rate on good frames, and the steps in which its logarithm is integrated.
PIMO_FPR = (1e-5, 1e-4)
PIMO_STEPS = 101

Counts = NDArray[np.float64]
Curve = tuple[Counts, Counts]


def image_metrics(defective: Sequence[bool], scores: Sequence[float]) -> dict[str, float | None]:
    """`image_f1` is the highest over all thresholds. None where only one of the two classes is there.

    Only the order of `scores` counts; infinity is the highest.
    """
    if len(set(defective)) < 2:
        return {"image_auroc": None, "image_ap": None, "image_f1": None}
    ranks = np.unique(np.asarray(scores), return_inverse=True)[1]
    precision, recall, _ = precision_recall_curve(defective, ranks)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-30)
    return {
        "image_auroc": float(roc_auc_score(defective, ranks)),
        "image_ap": float(average_precision_score(defective, ranks)),
        "image_f1": float(f1.max()),
    }


def _no_counts() -> Counts:
    return np.zeros(BINS)


@dataclass
class PixelCounts:
    """Pixels of all frames by score, in 65,536 bins from `lowest` to `highest`: exact to that step, and small.

    `regions` sums for each connected defect the share of its pixels in each bin, so that all defects weigh the same
    whatever their size; `frames` does it for whole good frames. `images` holds for each defective frame the bins of
    its defect's pixels, in rising order, and how many are in each.
    """

    lowest: float
    highest: float
    good: Counts = field(default_factory=_no_counts)
    defective: Counts = field(default_factory=_no_counts)
    regions: Counts = field(default_factory=_no_counts)
    region_count: int = 0
    frames: Counts = field(default_factory=_no_counts)
    frame_count: int = 0
    images: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = field(default_factory=list)

    def add(self, score_map: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
        """`score_map` (H, W) and `mask` (H, W), True where defective."""
        span = max(self.highest - self.lowest, 1e-30)
        bins = np.clip((score_map - self.lowest) * ((BINS - 1) / span) + 0.5, 0, BINS - 1).astype(np.int32)
        good = np.bincount(bins[~mask], minlength=BINS)
        self.good += good
        if not mask.any():
            self.frames += good / mask.size
            self.frame_count += 1
            return
        inside = bins[mask]
        self.defective += np.bincount(inside, minlength=BINS)
        self.images.append(np.unique(inside, return_counts=True))
        count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        region = labels[mask]
        shares = 1 / np.bincount(region, minlength=count)[region]
        self.regions += np.bincount(inside, weights=shares, minlength=BINS)
        self.region_count += count - 1

    def metrics(self, max_fpr: float = MAX_FPR) -> dict[str, float | None]:
        """`aupro`: the area under the per-region overlap up to `max_fpr`, divided by it. `aupimo`: the mean of
        `overlaps`. None where no frame had a defective pixel, or none a good one, or for AUPIMO no frame was good."""
        pimo = self.overlaps()
        named: dict[str, float | None] = {"aupimo": float(pimo.mean()) if len(pimo) else None}
        if self.region_count == 0 or self.good.sum() == 0:
            return {"pixel_auroc": None, "pixel_ap": None, "aupro": None} | named
        fpr, tpr, pro = (
            _from_the_top(self.good, self.good.sum()),
            _from_the_top(self.defective, self.defective.sum()),
            _from_the_top(self.regions, self.region_count),
        )
        # The curve is cut between its last point below the limit and the next: behind a step it may already be higher.
        cut = int((fpr < max_fpr).sum())
        x = np.append(fpr[:cut], max_fpr)
        y = np.append(pro[:cut], np.interp(max_fpr, fpr[cut - 1 : cut + 1], pro[cut - 1 : cut + 1]))
        recall, precision = self._precision()
        return {
            "pixel_auroc": float(np.trapezoid(tpr, fpr)),
            "pixel_ap": float((np.diff(recall) * precision[1:]).sum()),
            "aupro": float(np.trapezoid(y, x) / max_fpr),
        } | named

    def overlaps(self, fpr: tuple[float, float] = PIMO_FPR) -> Counts:
        """(defective frames,) each one's AUPIMO: its recall, averaged over the logarithm of the false-positive rate
        that good frames show on average at the same threshold, between the bounds `fpr`. Empty without a good frame."""
        if self.frame_count == 0 or not self.images:
            return np.zeros(0)
        rates = _from_the_top(self.frames, self.frame_count)[1:]
        levels = np.geomspace(*fpr, PIMO_STEPS)
        # The lowest bin that may count as defective while no more than each level of good pixels does.
        lowest = BINS - np.searchsorted(rates, levels * (1 + 1e-9), side="right")
        recalls = np.empty((len(self.images), PIMO_STEPS))
        for row, (bins, counts) in zip(recalls, self.images, strict=True):
            above = np.append(np.cumsum(counts[::-1])[::-1], 0)
            row[:] = above[np.searchsorted(bins, lowest)] / above[0]
        return np.asarray(np.trapezoid(recalls, dx=1 / (PIMO_STEPS - 1), axis=1), np.float64)

    def curves(self) -> dict[str, Curve]:
        """Pixel ROC, precision over recall, and region overlap, as x and y. Empty where nothing can be said."""
        if self.region_count == 0 or self.good.sum() == 0:
            return {}
        fpr = _from_the_top(self.good, self.good.sum())
        recall, precision = self._precision()
        return {
            "roc": (fpr, _from_the_top(self.defective, self.defective.sum())),
            "precision": (recall, precision),
            "overlap": (fpr, _from_the_top(self.regions, self.region_count)),
        }

    def _precision(self) -> Curve:
        """Recall and precision by falling threshold, from recall 0."""
        true = np.cumsum(self.defective[::-1])
        false = np.cumsum(self.good[::-1])
        precision = true / np.maximum(true + false, 1)
        return np.append(0, true / self.defective.sum()), np.append(1, precision)


def _from_the_top(counts: Counts, total: float) -> Counts:
    """(BINS + 1,) the share at or above each threshold, from none to all."""
    return np.concatenate([[0.0], np.cumsum(counts[::-1]) / total])
