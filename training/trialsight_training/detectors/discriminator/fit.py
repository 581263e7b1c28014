"""Good, spoilt, pasted and labelled parts to several heads, none of which knows all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from trialsight_training.detectors.detector import Learned, Lesson
from trialsight_training.detectors.discriminator.model import Discriminator, Head
from trialsight_training.detectors.graph import Detector, Smoothing, joint_stride
from trialsight_training.detectors.held_out import fold_count, grouped, held_out_maps
from trialsight_training.detectors.labels import loss, targets, widened, windows
from trialsight_training.detectors.mirrored import Shown, with_mirrored
from trialsight_training.detectors.optimise import optimise
from trialsight_training.detectors.pasted import Pasted, pasted_copies
from trialsight_training.detectors.spread import mean_and_deviation
from trialsight_training.detectors.warm import of_network, of_networks, steps_of
from trialsight_training.parallel import each
from trialsight_training.progress import Progress

# Good and labelled parts a step, as many of each; with few, a rare kind of defect is seldom seen. Half as many with a
# pasted defect: with more, kinds that look like none of these showed less.
STEPS, RATE, OF_EACH, PASTED = 300, 2e-3, 8, 4
# Heads that don't know each group of folds. What is exported is the mean of all, each part known to most of them; a
# part is held out from the mean of those that don't know it.
GROUPS, EACH = 3, 2
# Cells of the windows that are learned from: a whole part as a rule, since its highest logit is what will be judged
# (windows of 16 cells around the defects lost 0.02 to 0.03 on magnetic_tile). It bounds what large inputs take.
WINDOW = 48
# Gaussian noise in deviations of the good features. Its strength varies, so that the head learns no one distance.
NOISE = 1.0


@dataclass(frozen=True)
class Lot:
    """What all heads draw from: good parts, copies of them with pasted defects, and labelled defective ones."""

    usual: Shown
    pasted: Pasted
    wrong: Shown


def learn(lesson: Lesson, progress: Progress) -> Learned:
    """From good parts, feature noise and pasted defects, and from labelled ones where there are any, with masks or
    without. What is pasted is of many kinds, so that a kind that nobody labelled shows too."""
    lesson = grouped(lesson, GROUPS)
    good, defective = lesson.good, lesson.defective
    grid = (good.features.shape[2], good.features.shape[3])

    def shown(frames: Tensor, features: Tensor, marks: Tensor) -> Shown:
        return with_mirrored(lesson.backbone, frames, features, marks, lesson.seed, progress)

    usual = shown(good.frames, good.features, torch.zeros(len(good.frames), 1, *grid))
    wrong = shown(defective.frames, defective.features, widened(targets(defective, grid)))
    lot = Lot(usual, pasted_copies(lesson, progress), wrong)
    steps = steps_of(lesson, STEPS)
    folds = [fold for fold in range(fold_count(lesson)) for _ in range(EACH)]
    measured = [mean_and_deviation(good.features[good.folds != fold]) for fold in range(fold_count(lesson))]
    # Made one after the other: they share torch's one lot.
    heads = [_head(*measured[fold], lesson.seed + place) for place, fold in enumerate(folds)]
    for place, head in enumerate(heads):
        if begun := of_network(place, lesson.previous):
            head.load_state_dict(begun)
    with progress.task("discriminator", steps * len(folds)) as step:

        def fit(place: int) -> None:
            known, labelled = ((one != folds[place]).nonzero()[:, 0] for one in (good.folds, defective.folds))
            fit_head(heads[place], lot, known, labelled, steps, lesson.seed + place, step)

        for _ in each(fit, range(len(folds))):
            pass
    smoothing = Smoothing(joint_stride(lesson.backbone))
    without = [
        Discriminator([head for head, own in zip(heads, folds, strict=True) if own == fold], smoothing)
        for fold in range(fold_count(lesson))
    ]
    good_maps, defect_maps = held_out_maps(lesson, without, progress)
    return Learned(
        model=Detector(lesson.backbone, Discriminator(heads, smoothing)).eval(),
        good_maps=good_maps,
        defect_maps=defect_maps,
        description={"labelled_defects": len(defective)},
        state=of_networks(heads),
    )


def _head(mean: Tensor, deviation: Tensor, seed: int) -> Head:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Head(mean, deviation)


def fit_head(
    head: Head,
    lot: Lot,
    known: Tensor,
    labelled: Tensor,
    steps: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> None:
    """Of the good parts it learns those numbered in `known`, and their pasted copies; of the wrong ones those in
    `labelled`."""
    deviation = head.deviation.flatten()
    # Where a mask is missing the defect may lie anywhere, so the whole part is looked at.
    side = WINDOW if bool((lot.wrong.marks >= 0).all()) else max(lot.usual.maps.shape[2:])

    def loss_of(generator: torch.Generator) -> Tensor:
        usual, marks = windows(*lot.usual.drawn(OF_EACH, known, generator), side, generator)
        spoilt, where = spoil(usual[: OF_EACH // 4], deviation, generator)
        shown = [(spoilt, where), (usual[OF_EACH // 4 :], marks[OF_EACH // 4 :])]
        shown.append(windows(*lot.pasted.drawn(PASTED, known, generator), side, generator))
        if len(labelled):
            shown.append(windows(*lot.wrong.drawn(OF_EACH, labelled, generator), side, generator))
        inputs, wanted = (torch.cat(one) for one in zip(*shown, strict=True))
        return loss(head(inputs), wanted)

    optimise(head, loss_of, steps, RATE, seed, step)


def spoil(features: Tensor, deviation: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Features with Gaussian noise within a few blobs, and those blobs (N, 1, h, w) of 0 and 1."""
    n, _, h, w = features.shape
    coarse = torch.randn(n, 1, max(2, h // 6), max(2, w // 6), generator=generator)
    hills = F.interpolate(coarse, size=(h, w), mode="bicubic", align_corners=False)
    share = 0.03 + 0.12 * torch.rand(n, generator=generator)
    level = torch.stack([hill.flatten().quantile(1 - one) for hill, one in zip(hills, share, strict=True)])
    where = (hills > level.view(n, 1, 1, 1)).float()
    strength = NOISE * torch.exp(0.5 * torch.randn(n, 1, 1, 1, generator=generator)) * deviation.view(1, -1, 1, 1)
    return features + where * strength * torch.randn(features.shape, generator=generator), where
