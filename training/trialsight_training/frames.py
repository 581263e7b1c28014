"""Samples as the model will see them: decoded and prepared by the very functions that serve."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trialsight.errors import FrameError, TrialsightError
from trialsight.health import Health, measure
from trialsight.prepare import Preparer
from trialsight_datasets.pixels import read_bytes
from trialsight_datasets.sample import Sample
from trialsight_training.backbones import Backbone
from trialsight_training.detectors.patch_memory.model import patch_features

BATCH = 8


def prepared(samples: Iterable[Sample], preparer: Preparer) -> Iterator[NDArray[np.uint8]]:
    """(height_px, width_px, 3) RGB a sample. Raises TrialsightError that names the file, also for a misaligned part."""
    for sample in samples:
        data, header = read_bytes(sample.path)
        try:
            frame = preparer.decode(data, header)
        except FrameError as error:
            raise TrialsightError(f"{sample.path}: {error.problem}", error.remedy) from error
        if frame.fault is not None:
            raise TrialsightError(
                f"{sample.path}: {frame.fault}", "take it out of the set, or widen view.registration in the recipe"
            )
        yield frame.pixels


@torch.no_grad()
def extract(
    backbone: Backbone,
    samples: Sequence[Sample],
    preparer: Preparer,
    step: Callable[[], None] = lambda: None,
) -> tuple[Tensor, list[Health]]:
    """(N, C, h, w) patch features, and each picture's health; `step` is called after each sample."""
    frames = prepared(samples, preparer)
    features: list[Tensor] = []
    health: list[Health] = []
    for start in range(0, len(samples), BATCH):
        batch = [next(frames) for _ in samples[start : start + BATCH]]
        health += [measure(pixels) for pixels in batch]
        features.append(patch_features(backbone, torch.from_numpy(np.stack(batch))))
        for _ in batch:
            step()
    return torch.cat(features), health
