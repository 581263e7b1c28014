"""Samples as the model will see them: decoded and prepared by the very functions that serve."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trialsight.card import Preparation
from trialsight.errors import FrameError, TrialsightError
from trialsight.prepare import decode_and_prepare
from trialsight_datasets.pixels import read_bytes
from trialsight_datasets.sample import Sample
from trialsight_training.backbones import Backbone
from trialsight_training.detectors.patch_memory.model import patch_features

BATCH = 8


def prepared(samples: Iterable[Sample], preparation: Preparation) -> Iterator[NDArray[np.uint8]]:
    """(height_px, width_px, 3) RGB a sample. Raises TrialsightError that names the file."""
    for sample in samples:
        data, header = read_bytes(sample.path)
        try:
            yield decode_and_prepare(data, header, preparation)[0]
        except FrameError as error:
            raise TrialsightError(f"{sample.path}: {error.problem}", error.remedy) from error


@torch.no_grad()
def extract(
    backbone: Backbone,
    samples: Sequence[Sample],
    preparation: Preparation,
    step: Callable[[], None] = lambda: None,
) -> Tensor:
    """(N, C, h, w) patch features; `step` is called after each sample."""
    frames = prepared(samples, preparation)
    features: list[Tensor] = []
    for start in range(0, len(samples), BATCH):
        batch = [next(frames) for _ in samples[start : start + BATCH]]
        features.append(patch_features(backbone, torch.from_numpy(np.stack(batch))))
        for _ in batch:
            step()
    return torch.cat(features)
