"""Image and pixel metrics: AUROC, average precision, and AUPRO (Bergmann et al., "The MVTec Anomaly Detection Dataset",
IJCV 2021, section 5.1; "Uninformed Students", CVPR 2020)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

BINS = 1 << 16
MAX_FPR = 0.3

Counts = NDArray[np.float64]


def image_metrics(defective: Sequence[bool], scores: Sequence[float]) -> dict[str, float | None]:
    """None where only one of the two classes is there. Only the order of `scores` counts; infinity is the highest."""
    if len(set(defective)) < 2:
        return {"image_auroc": None, "image_ap": None}
    ranks = np.unique(np.asarray(scores), return_inverse=True)[1]
    return {
        "image_auroc": float(roc_auc_score(defective, ranks)),
        "image_ap": float(average_precision_score(defective, ranks)),
    }


def _no_counts() -> Counts:
    return np.zeros(BINS)


@dataclass
class PixelCounts:
    """Pixels of all frames by score, in 65,536 bins from `lowest` to `highest`: exact to that step, and small.

    `regions` sums for each connected defect the share of its pixels in each bin, so that all defects weigh the same
    whatever their size.
    """

    lowest: float
    highest: float
    good: Counts = field(default_factory=_no_counts)
    defective: Counts = field(default_factory=_no_counts)
    regions: Counts = field(default_factory=_no_counts)
    region_count: int = 0

    def add(self, score_map: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
        """`score_map` (H, W) and `mask` (H, W), True where defective."""
        span = max(self.highest - self.lowest, 1e-30)
        bins = np.clip((score_map - self.lowest) * ((BINS - 1) / span) + 0.5, 0, BINS - 1).astype(np.int32)
        self.good += np.bincount(bins[~mask], minlength=BINS)
        if not mask.any():
            return
        self.defective += np.bincount(bins[mask], minlength=BINS)
        count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        inside = labels[mask]
        shares = 1 / np.bincount(inside, minlength=count)[inside]
        self.regions += np.bincount(bins[mask], weights=shares, minlength=BINS)
        self.region_count += count - 1

    def metrics(self, max_fpr: float = MAX_FPR) -> dict[str, float | None]:
        """`pixel_auroc`, and `aupro`: the area under the per-region overlap up to `max_fpr`, divided by it.

        None where no frame had a defective pixel, or none a good one.
        """
        if self.region_count == 0 or self.good.sum() == 0:
            return {"pixel_auroc": None, "aupro": None}
        fpr, tpr, pro = (
            np.concatenate([[0.0], np.cumsum(counts[::-1]) / total])
            for counts, total in (
                (self.good, self.good.sum()),
                (self.defective, self.defective.sum()),
                (self.regions, self.region_count),
            )
        )
        # The curve is cut between its last point below the limit and the next: behind a step it may already be higher.
        cut = int((fpr < max_fpr).sum())
        x = np.append(fpr[:cut], max_fpr)
        y = np.append(pro[:cut], np.interp(max_fpr, fpr[cut - 1 : cut + 1], pro[cut - 1 : cut + 1]))
        return {
            "pixel_auroc": float(np.trapezoid(tpr, fpr)),
            "aupro": float(np.trapezoid(y, x) / max_fpr),
        }
