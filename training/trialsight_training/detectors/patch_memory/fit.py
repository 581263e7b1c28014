"""Features of good parts to the memory bank, and to a bank without each calibration fold."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from trialsight_training.detectors.detector import Learned, Lesson
from trialsight_training.detectors.graph import Detector, Smoothing
from trialsight_training.detectors.held_out import held_out_maps
from trialsight_training.detectors.patch_memory.coreset import greedy_coreset, project
from trialsight_training.detectors.patch_memory.model import Memory, PatchMemory, principal_axes
from trialsight_training.detectors.patch_memory.update import grow, remembered
from trialsight_training.parallel import each
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
    with progress.task("memory", int(lesson.good.folds.max()) + 2) as step:
        if lesson.previous:
            memory, *held_out = grow(lesson.previous, lesson.good.patches, lesson.good.folds, size, lesson.seed, step)
            fitted = Fitted(memory, tuple(held_out))
        else:
            fitted = fit_patch_memory(lesson.good.patches, lesson.good.folds, size, lesson.seed, step)
    good_maps, defect_maps = held_out_maps(
        lesson, [PatchMemory(memory, smoothing) for memory in fitted.held_out], progress
    )
    return Learned(
        model=Detector(lesson.backbone, PatchMemory(fitted.memory, smoothing)).eval(),
        good_maps=good_maps,
        defect_maps=defect_maps,
        description={"bank": fitted.memory.size},
        state=remembered([fitted.memory, *fitted.held_out]),
    )


def fit_patch_memory(
    patches: Tensor,
    folds: Tensor,
    bank_size: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> Fitted:
    """`patches` (N, K, C) of good parts, `folds` (N,) the fold of each. `step` is called after
    each of folds + 1 banks."""
    parts, each_part, width = patches.shape
    points = patches.reshape(parts * each_part, width)
    center = points.mean(0)
    points = points - center
    near = project(points, seed)
    owner = folds.repeat_interleave(each_part)

    def bank(fold: int | None) -> Tensor:
        """Without the parts of `fold`. It holds the same share of its patches as the whole one: a full-sized bank of
        fewer parts would cover them more densely, and held-out parts would then score lower than new ones do."""
        if fold is None:
            return greedy_coreset(near, bank_size, seed)
        known = (owner != fold).nonzero()[:, 0]
        size = max(1, round(bank_size * len(known) / len(points)))
        return known[greedy_coreset(near[known], size, seed)]

    banks = []
    for one in each(bank, [None, *range(int(folds.max()) + 1)]):
        banks.append(one)
        step()
    # One centre, spread and set of axes for all banks: only what each remembers may differ between folds.
    spread = float(points.square().sum(1).mean().sqrt())
    axes = principal_axes(points[banks[0]])
    zero = torch.zeros(width)
    memories = [Memory(points[one], zero, spread, axes) for one in banks]
    for memory in memories:
        memory.center = center
    return Fitted(memories[0], tuple(memories[1:]))
