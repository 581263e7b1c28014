"""AUPRO and AUPIMO counted by hand, pixel AUROC and precision against scikit-learn, None where nothing can be said."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

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


def test_pixel_auroc_and_precision_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    masks = rng.random((6, 30, 30)) < 0.1
    scores = (rng.normal(size=masks.shape) + masks).astype(np.float32)
    counts = PixelCounts(float(scores.min()), float(scores.max()))
    for score, mask in zip(scores, masks, strict=True):
        counts.add(score, mask)
    assert counts.metrics()["pixel_auroc"] == pytest.approx(roc_auc_score(masks.ravel(), scores.ravel()), abs=1e-4)
    expected = average_precision_score(masks.ravel(), scores.ravel())
    assert counts.metrics()["pixel_ap"] == pytest.approx(expected, abs=1e-3)


def frame_of(*scores: float) -> np.ndarray:
    return np.array([scores], np.float32)


# Two good frames of 10 pixels. By falling threshold the mean of their false-positive rates is
# 0.05 at 0.9, 0.10 at 0.8, 0.15 at 0.7, 0.20 at 0.6.
GOOD_FRAMES = [frame_of(0.9, 0.7, *[0.1] * 8), frame_of(0.8, 0.6, *[0.1] * 8)]

# the defect's scores, bounds of the rate, AUPIMO
OVERLAPS = [
    ("seen before any false pixel", (0.95, 0.95), (0.05, 0.2), 1.0),
    ("seen by no threshold within the bounds", (0.3, 0.2), (0.05, 0.2), 0.0),
    ("half of it above the first false pixel", (0.95, 0.3), (0.05, 0.2), 0.5),
    # At a rate of 0.10 the threshold may fall to just above the next false pixel, 0.7; below that rate only to 0.8.
    ("the second half from a rate of 0.10", (0.95, 0.75), (0.05, 0.2), 0.5 + 0.5 * math.log(0.2 / 0.1) / math.log(4)),
    ("bounds apart from all steps", (0.85, 0.3), (0.12, 0.13), 0.5),
]


@pytest.mark.parametrize(
    ("defect", "bounds", "expected"), [row[1:] for row in OVERLAPS], ids=[row[0] for row in OVERLAPS]
)
def test_aupimo_counted_by_hand(defect: tuple[float, float], bounds: tuple[float, float], expected: float) -> None:
    counts = PixelCounts(0.0, 1.0)
    for frame in GOOD_FRAMES:
        counts.add(frame, np.zeros(frame.shape, bool))
    # False pixels of a defective frame, however high, are none of AUPIMO's concern.
    counts.add(frame_of(*defect, 1.0, 1.0), np.array([[True, True, False, False]]))
    assert counts.overlaps(bounds) == pytest.approx(expected, abs=0.01)


def test_aupimo_is_a_mean_over_defective_frames_and_large_good_frames_weigh_as_small_ones() -> None:
    counts = PixelCounts(0.0, 1.0)
    counts.add(np.full((100, 100), 0.1, np.float32), np.zeros((100, 100), bool))
    counts.add(frame_of(0.9, 0.1), np.zeros((1, 2), bool))
    for score in (0.95, 0.5):
        counts.add(frame_of(score), np.ones((1, 1), bool))
    # Above 0.9 nothing good; the small frame's one pixel is half of it, a rate of 0.25 over both.
    assert counts.overlaps((0.1, 0.2)) == pytest.approx([1, 0])
    assert counts.overlaps((0.3, 0.4)) == pytest.approx([1, 1])
    assert counts.metrics()["aupimo"] == pytest.approx(0.5)


def test_one_score_everywhere_knows_nothing() -> None:
    counts = PixelCounts(0.5, 0.5)
    counts.add(np.full((4, 4), 0.5, np.float32), np.eye(4, dtype=bool))
    assert counts.metrics()["pixel_auroc"] == pytest.approx(0.5)


def test_metrics_are_none_where_nothing_can_be_said() -> None:
    counts = PixelCounts(0.0, 1.0)
    pixels = {"pixel_auroc": None, "pixel_ap": None, "aupro": None, "aupimo": None}
    assert counts.metrics() == pixels
    counts.add(np.zeros((4, 4), np.float32), np.zeros((4, 4), bool))
    assert counts.metrics() == pixels
    images = {"image_auroc": None, "image_ap": None, "image_f1": None}
    assert image_metrics([True, True], [1.0, 2.0]) == images
    assert image_metrics([], []) == images


def test_image_metrics_take_a_part_without_verdict_as_the_highest() -> None:
    metrics = image_metrics([False, False, True, True], [1.0, 3.0, 2.0, math.inf])
    assert metrics["image_auroc"] == pytest.approx(0.75)
    assert metrics["image_ap"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert metrics["image_f1"] == pytest.approx(2 * (2 / 3) / (1 + 2 / 3))
