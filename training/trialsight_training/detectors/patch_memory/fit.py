"""Each layer's patches of good parts to a bank and to one without each calibration fold; then what a layer weighs."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from trialsight_training.detectors.detector import Learned, Lesson, Patches
from trialsight_training.detectors.graph import Detector, Smoothing, joint_stride
from trialsight_training.detectors.held_out import fold_count, held_out_maps
from trialsight_training.detectors.patch_memory.coreset import cover_without, greedy_cover
from trialsight_training.detectors.patch_memory.model import Apart, Memory, PatchMemory, Plan, space_of
from trialsight_training.detectors.patch_memory.update import grow, remembered
from trialsight_training.parallel import each
from trialsight_training.progress import Progress

# A layer finer than the others shows little but edges and grain: fewer patches and directions tell those.
FINE = Plan(size=1000, axes=48)
# Few parts say little of how much their scores vary: the layers' mean counts as so many parts' worth.
PRIOR_PARTS = 40


def learn(lesson: Lesson, progress: Progress) -> Learned:
    """From good parts alone: labelled defects are scored, not learned."""
    patches, folds = lesson.good.patches, lesson.good.folds
    stride = joint_stride(lesson.backbone)
    reference = lesson.backbone.strides.index(stride)
    usual = Plan(lesson.spec.bank_size)
    fine = replace(FINE, size=min(FINE.size, usual.size))
    plans = [usual if place in lesson.good.layers.joint else fine for place in range(len(patches))]
    with progress.task("memory", len(plans) * (fold_count(lesson) + 1)) as step:
        if lesson.previous:
            banks = grow(lesson.previous, patches, folds, plans, step)
        else:
            banks = fit_banks(patches, folds, plans, lesson.seed, step)
    whole, *without = zip(*banks, strict=True)
    smoothing = Smoothing(stride)
    good, defective = held_out_maps(lesson, [Apart(one, reference, smoothing) for one in without], progress)
    weights = lesson.previous.get("weights", weigh(good))
    return Learned(
        model=Detector(lesson.backbone, PatchMemory(whole, weights.tolist(), reference, smoothing)).eval(),
        good_maps=_weighed(good, weights),
        defect_maps=_weighed(defective, weights),
        description={
            "bank": sum(len(one.bank) for one in whole),
            "layer_weights": {
                name: round(weight, 3) for name, weight in zip(lesson.backbone.layers, weights.tolist(), strict=True)
            },
        },
        state=remembered(banks) | {"weights": weights},
    )


def fit_banks(
    patches: Sequence[Patches], folds: Tensor, plans: Sequence[Plan], seed: int, step: Callable[[], None] = lambda: None
) -> list[list[Memory]]:
    """`patches`: of good parts, a layer each; `folds` (N,) the fold of each part. Of each layer the memory of all
    parts and those without each fold, which differ in what they remember alone. `step` is called after each."""
    spaces = list(each(lambda one: space_of(one[0].points, one[1].axes), zip(patches, plans, strict=True)))
    points = [space(one.points) for space, one in zip(spaces, patches, strict=True)]
    owners = [folds[one.parts] for one in patches]
    places = range(len(points))
    covers = []
    for cover in each(lambda place: greedy_cover(points[place], plans[place].size, seed, owners[place]), places):
        covers.append(cover)
        step()
    banks = [[Memory(points[place][covers[place].chosen], spaces[place])] for place in places]

    def without(one: tuple[int, int]) -> Tensor:
        place, fold = one
        return cover_without(points[place], covers[place], owners[place], fold)

    wanted = [(place, fold) for place in places for fold in range(int(folds.max()) + 1)]
    for (place, _), chosen in zip(wanted, each(without, wanted), strict=True):
        banks[place].append(Memory(points[place][chosen], spaces[place]))
        step()
    return banks


def weigh(maps: Tensor) -> Tensor:
    """(N, L, h, w) of held-out good parts to (L,), 1 in all: the inverse of how much a layer's maxima vary from part to
    part, as independent measurements are weighed."""
    variances = torch.nan_to_num(maps.flatten(2).amax(2).var(0))
    usual = variances.mean().clamp(min=1e-12)
    weights = 1 / ((len(maps) * variances + PRIOR_PARTS * usual) / (len(maps) + PRIOR_PARTS))
    return weights / weights.sum()


def _weighed(maps: Tensor, weights: Tensor) -> Tensor:
    """(N, L, h, w) to (N, h, w); smoothing is linear, so this is the map of what is exported."""
    return torch.einsum("nlhw,l->nhw", maps, weights) if len(maps) else torch.empty(0, 0, 0)
