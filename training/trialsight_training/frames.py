"""Samples as the model will see them: decoded and prepared by the very functions that serve."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trialsight.errors import FrameError, TrialsightError
from trialsight.health import Health, measure
from trialsight.prepare import Preparer
from trialsight.recipe import Augment
from trialsight_datasets.pixels import read_bytes
from trialsight_datasets.sample import Sample
from trialsight_training.augment import moved
from trialsight_training.backbones import Backbone
from trialsight_training.detectors.patch_memory.model import patch_features

# Patches that the memory may choose from; beyond these a random share of each part's stands for all of them.
MAX_PATCHES = 40_000


@dataclass(frozen=True)
class Seen:
    """`features` (N, C, h, w) of the parts as they are; `patches` (N, K, C) of each and of its augmented copies;
    `health` of each picture."""

    features: Tensor
    patches: Tensor
    health: tuple[Health, ...]


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
    augment: Augment,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> Seen:
    """All of each part's features, and a random share of them and of its augmented copies' for the memory to choose
    from. `step` is called after each sample."""
    rng = np.random.default_rng(seed)
    features: list[Tensor] = []
    patches: list[Tensor] = []
    health: list[Health] = []
    for pixels in prepared(samples, preparer):
        copies = [moved(pixels, augment, rng) for _ in range(augment.copies)]
        maps = patch_features(backbone, torch.from_numpy(np.stack([pixels, *copies])))
        rows = maps.permute(0, 2, 3, 1).flatten(0, 2)
        kept = min(len(rows), max(1, MAX_PATCHES // len(samples)))
        patches.append(rows[torch.from_numpy(rng.permutation(len(rows))[:kept])] if kept < len(rows) else rows)
        features.append(maps[:1])
        health.append(measure(pixels))
        step()
    return Seen(torch.cat(features), torch.stack(patches), tuple(health))
