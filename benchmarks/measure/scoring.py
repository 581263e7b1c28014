"""One way of scoring for everybody: scores and maps of any detector, by the metric code that scores our own."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight_datasets import load_mask
from trialsight_datasets.pixels import upright_size
from trialsight_datasets.sample import Sample
from trialsight_training.metrics import PixelCounts, image_metrics

METRICS = ("image_auroc", "pixel_auroc", "aupro")


def score(samples: Sequence[Sample], scores: NDArray[np.float32], maps: NDArray[np.float32]) -> dict[str, float | None]:
    """`scores` (N,), `maps` (N, h, w): each covers its whole frame and is brought to the frame's size linearly."""
    metrics = image_metrics([not sample.is_good for sample in samples], scores.tolist())
    counts = PixelCounts(float(maps.min()), float(maps.max()))
    for sample, one in zip(samples, maps, strict=True):
        size = upright_size(sample.path)
        mask = load_mask(sample, size)
        if mask is not None:
            counts.add(np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_LINEAR), np.float32), mask)
    metrics |= counts.metrics()
    return {name: metrics[name] for name in METRICS}
