"""Features of good parts to the memory bank, and to a bank without each calibration fold."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from trialsight_training.detectors.detector import Learned, Lesson
from trialsight_training.detectors.graph import Detector, Smoothing
from trialsight_training.detectors.held_out import held_out_maps
from trialsight_training.detectors.patch_memory.coreset import greedy_coresets
from trialsight_training.detectors.patch_memory.model import Memory, PatchMemory
from trialsight_training.progress import Progress


@dataclass(frozen=True)
class Fitted:
    """`memory` knows every part; `held_out[k]` knows all parts but those of fold k."""

    memory: Memory
    held_out: tuple[Memory, ...]


def learn(lesson: Lesson, progress: Progress) -> Learned:
    """From good parts alone: labelled defects are scored, not learned."""
    smoothing = Smoothing(lesson.backbone.strides[0])
    size = lesson.spec.bank_size
    with progress.task("memory", size) as step:
        fitted = fit_patch_memory(lesson.good.patches, lesson.good.folds, size, lesson.seed, step)
    good_maps, defect_maps = held_out_maps(
        lesson, [PatchMemory(memory, smoothing) for memory in fitted.held_out], progress
    )
    return Learned(
        model=Detector(lesson.backbone, PatchMemory(fitted.memory, smoothing)).eval(),
        good_maps=good_maps,
        defect_maps=defect_maps,
        description={"bank": fitted.memory.bank.shape[1]},
    )


def fit_patch_memory(
    patches: Tensor,
    folds: Tensor,
    bank_size: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> Fitted:
    """`patches` (N, K, C) of good parts, `folds` (N,) the fold of each. `step` is called bank_size - 1 times."""
    parts, each, width = patches.shape
    points = patches.reshape(parts * each, width)
    center = points.mean(0)
    points = points - center
    owner = folds.repeat_interleave(each)
    count = int(folds.max()) + 1
    allowed = torch.ones(count + 1, len(points), dtype=torch.bool)
    for fold in range(count):
        allowed[fold + 1, owner == fold] = False
    # Each bank holds the same share of its patches. A full-sized bank of fewer parts would cover them more densely,
    # and held-out parts would then score lower than new ones do.
    sizes = [max(1, round(bank_size * int(bank.sum()) / len(points))) for bank in allowed]
    banks = greedy_coresets(points, sizes, allowed, seed, step=step)
    # One centre and spread for all banks: only what each remembers may differ between folds.
    spread = float(points.square().sum(1).mean().sqrt())
    zero = torch.zeros(width)
    memories = [Memory(points[bank], zero, spread) for bank in banks]
    for memory in memories:
        memory.center = center
    return Fitted(memories[0], tuple(memories[1:]))
