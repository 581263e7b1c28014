"""Samples as the model will see them: decoded and prepared by the very functions that serve."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trialsight.errors import FrameError, TrialsightError
from trialsight.health import Health, measure
from trialsight.prepare import Prepared, Preparer
from trialsight.recipe import Augment
from trialsight_datasets.pixels import load_mask, read_bytes
from trialsight_datasets.sample import Sample
from trialsight_training.augment import moved
from trialsight_training.backbones import Backbone
from trialsight_training.calibrate import assign_folds
from trialsight_training.detectors.detector import Defective, Good
from trialsight_training.detectors.graph import patch_features

# Patches that a detector may choose from; beyond these a random share of each part's stands for all of them.
MAX_PATCHES = 40_000


def prepared(samples: Iterable[Sample], preparer: Preparer) -> Iterator[NDArray[np.uint8]]:
    """(height_px, width_px, 3) RGB a sample. Raises TrialsightError that names the file, also for a misaligned part."""
    for sample in samples:
        yield prepare(sample, preparer).pixels


def prepare(sample: Sample, preparer: Preparer) -> Prepared:
    data, header = read_bytes(sample.path)
    try:
        frame = preparer.decode(data, header)
    except FrameError as error:
        raise TrialsightError(f"{sample.path}: {error.problem}", error.remedy) from error
    if frame.fault is not None:
        raise TrialsightError(
            f"{sample.path}: {frame.fault}", "take it out of the set, or widen view.registration in the recipe"
        )
    return frame


@torch.no_grad()
def study_good(
    backbone: Backbone,
    samples: Sequence[Sample],
    preparer: Preparer,
    augment: Augment,
    folds: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> tuple[Good, tuple[Health, ...]]:
    """The parts, a random share of their features and of their augmented copies', and each picture's health.

    `step` is called after each sample. Raises TrialsightError where nothing can be learned from them.
    """
    rng = np.random.default_rng(seed)
    frames: list[Tensor] = []
    features: list[Tensor] = []
    patches: list[Tensor] = []
    health: list[Health] = []
    for sample in samples:
        pixels = prepare(sample, preparer).pixels
        copies = [moved(pixels, augment, rng) for _ in range(augment.copies)]
        maps = _features(backbone, np.stack([pixels, *copies]), sample)
        rows = maps.permute(0, 2, 3, 1).flatten(0, 2)
        kept = min(len(rows), max(1, MAX_PATCHES // len(samples)))
        patches.append(rows[torch.from_numpy(rng.permutation(len(rows))[:kept])] if kept < len(rows) else rows)
        features.append(maps[:1])
        frames.append(torch.from_numpy(pixels))
        health.append(measure(pixels))
        step()
    if len(frames) > 1 and all(torch.equal(frame, frames[0]) for frame in frames[1:]):
        raise TrialsightError(
            f"all {len(frames)} good training parts show the very same picture, so how good parts differ can't be seen",
            "photograph different parts; a frozen camera or a copied file looks like this",
        )
    good = Good(torch.stack(frames), torch.cat(features), torch.stack(patches), assign_folds(len(samples), folds, seed))
    return good, tuple(health)


@torch.no_grad()
def study_defective(
    backbone: Backbone,
    samples: Sequence[Sample],
    preparer: Preparer,
    folds: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> Defective:
    """The labelled parts with their masks, laid as the frames are. `step` is called after each sample.

    Raises TrialsightError that names the file where a mask can't be used.
    """
    width, height = preparer.preparation.width_px, preparer.preparation.height_px
    frames, features, masks = [torch.empty(0, height, width, 3, dtype=torch.uint8)], [], []
    for sample in samples:
        frame = prepare(sample, preparer)
        mask = load_mask(sample, frame.frame_size_px)
        frames.append(torch.from_numpy(frame.pixels)[None])
        features.append(_features(backbone, frame.pixels[np.newaxis], sample))
        masks.append(None if mask is None else torch.from_numpy(preparer.mask(mask, frame.pose)))
        step()
    labels = tuple(sample.label for sample in samples)
    grid = torch.cat(features) if features else torch.empty(0, sum(backbone.channels), 0, 0)
    return Defective(torch.cat(frames), grid, tuple(masks), labels, _folds_by_class(labels, folds, seed))


def _features(backbone: Backbone, pixels: NDArray[np.uint8], sample: Sample) -> Tensor:
    maps = patch_features(backbone, torch.from_numpy(pixels))
    if not torch.isfinite(maps).all():
        raise TrialsightError(
            f"{sample.path}: backbone {backbone.name} gives features that are no numbers",
            "its weights are damaged or meant for another network: give others",
        )
    return maps


def _folds_by_class(labels: Sequence[str], folds: int, seed: int) -> Tensor:
    """(M,) each class dealt out over the folds in turn, so that each fold has some of each."""
    assigned = torch.zeros(len(labels), dtype=torch.long)
    dealt = 0
    for label in sorted(set(labels)):
        members = torch.tensor([index for index, one in enumerate(labels) if one == label])
        assigned[members] = (assign_folds(len(members), len(members), seed) + dealt) % folds
        dealt += len(members)
    return assigned
