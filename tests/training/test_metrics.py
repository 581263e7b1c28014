"""AUPRO on a case counted by hand, pixel AUROC against scikit-learn, and None where nothing can be said."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from trialsight_training.metrics import PixelCounts, image_metrics


def test_aupro_counted_by_hand() -> None:
    # Ten good pixels, two regions: A has two pixels, B has one.
    score = np.array([[0.9, 0.5, 0.0, 0.7, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1]], np.float32)
    mask = np.array([[1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]], bool)
    counts = PixelCounts(0.0, 1.0)
    counts.add(score, mask)
    # By falling threshold: 0.9 half of A -> PRO 1/4; 0.8 a false one -> FPR 0.1; 0.7 all of B -> PRO 3/4;
    # 0.6 a false one -> FPR 0.2; 0.5 the rest of A -> PRO 1. From FPR 0.2 to 0.3 it stays 1.
    # Area: 0.1 * 0.25 + 0.1 * 0.75 + 0.1 * 1 = 0.2
    assert counts.metrics()["aupro"] == pytest.approx(0.2 / 0.3, abs=1e-6)
    assert counts.metrics(max_fpr=0.2)["aupro"] == pytest.approx(0.1 / 0.2, abs=1e-6)
    assert counts.region_count == 2


@pytest.mark.parametrize(("separation", "low", "high"), [(5.0, 0.999, 1.0), (0.0, 0.1, 0.2)])
def test_aupro_of_a_perfect_and_of_a_blind_map(separation: float, low: float, high: float) -> None:
    rng = np.random.default_rng(1)
    counts = PixelCounts(-5.0, 12.0)
    for _ in range(20):
        mask = np.zeros((40, 40), bool)
        mask[5:15, 5:15] = mask[25:30, 20:35] = True
        counts.add(rng.normal(size=mask.shape).astype(np.float32) + separation * mask * 1.6, mask)
    # A blind map overlaps as much as it errs: the area is fpr²/2, so 0.15 of the most there is.
    assert low <= (counts.metrics()["aupro"] or 0) <= high


def test_pixel_auroc_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    masks = rng.random((6, 30, 30)) < 0.1
    scores = (rng.normal(size=masks.shape) + masks).astype(np.float32)
    counts = PixelCounts(float(scores.min()), float(scores.max()))
    for score, mask in zip(scores, masks, strict=True):
        counts.add(score, mask)
    assert counts.metrics()["pixel_auroc"] == pytest.approx(roc_auc_score(masks.ravel(), scores.ravel()), abs=1e-4)


def test_one_score_everywhere_knows_nothing() -> None:
    counts = PixelCounts(0.5, 0.5)
    counts.add(np.full((4, 4), 0.5, np.float32), np.eye(4, dtype=bool))
    assert counts.metrics()["pixel_auroc"] == pytest.approx(0.5)


def test_metrics_are_none_where_nothing_can_be_said() -> None:
    counts = PixelCounts(0.0, 1.0)
    assert counts.metrics() == {"pixel_auroc": None, "aupro": None}
    counts.add(np.zeros((4, 4), np.float32), np.zeros((4, 4), bool))
    assert counts.metrics() == {"pixel_auroc": None, "aupro": None}
    assert image_metrics([True, True], [1.0, 2.0]) == {"image_auroc": None, "image_ap": None}
    assert image_metrics([], []) == {"image_auroc": None, "image_ap": None}


def test_image_metrics_take_a_part_without_verdict_as_the_highest() -> None:
    metrics = image_metrics([False, False, True, True], [1.0, 3.0, 2.0, math.inf])
    assert metrics["image_auroc"] == pytest.approx(0.75)
    assert metrics["image_ap"] == pytest.approx((1 / 1 + 2 / 3) / 2)
