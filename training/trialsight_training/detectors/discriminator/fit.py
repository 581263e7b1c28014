"""Good features, spoilt ones and those of labelled defects to the head, and to one without each group of folds."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from trialsight_training.detectors.detector import Learned, Lesson
from trialsight_training.detectors.discriminator.model import Discriminator, Head
from trialsight_training.detectors.graph import Detector, Smoothing, joint_stride
from trialsight_training.detectors.held_out import fold_count, grouped, held_out_maps
from trialsight_training.detectors.labels import draw, loss, targets, windows
from trialsight_training.detectors.optimise import optimise
from trialsight_training.detectors.spread import mean_and_deviation
from trialsight_training.detectors.warm import of_network, of_networks, steps_of
from trialsight_training.progress import Progress

# Good and labelled parts a step, as many of each; with few, a rare kind of defect is seldom seen.
STEPS, RATE, HALF, GROUPS = 300, 2e-3, 8, 3
# Cells of the windows that are learned from: a whole part as a rule, since its highest logit is what will be judged
# (windows of 16 cells around the defects lost 0.02 to 0.03 on magnetic_tile). It bounds what large inputs take.
WINDOW = 48
# Gaussian noise in deviations of the good features. Its strength varies, so that the head learns no one distance.
NOISE = 1.0


def learn(lesson: Lesson, progress: Progress) -> Learned:
    """From good parts and feature noise, and from labelled defects where there are any, with masks or without."""
    lesson = grouped(lesson, GROUPS)
    good, defective = lesson.good, lesson.defective
    smoothing = Smoothing(joint_stride(lesson.backbone))
    wanted = targets(defective, (good.features.shape[2], good.features.shape[3]))
    heads: list[Head] = []
    count, steps = fold_count(lesson), steps_of(lesson, STEPS)
    with progress.task("discriminator", steps * (count + 1)) as step:
        for fold in range(-1, count):
            known, labelled = good.folds != fold, defective.folds != fold
            marked = defective.features[labelled], wanted[labelled]
            begun = of_network(fold + 1, lesson.previous)
            heads.append(fit_head(good.features[known], *marked, steps, lesson.seed, step, begun))
    whole, *without = (Discriminator(head, smoothing) for head in heads)
    good_maps, defect_maps = held_out_maps(lesson, without, progress)
    return Learned(
        model=Detector(lesson.backbone, whole).eval(),
        good_maps=good_maps,
        defect_maps=defect_maps,
        description={"labelled_defects": len(defective)},
        state=of_networks(heads),
    )


def fit_head(
    good: Tensor,
    defective: Tensor,
    wanted: Tensor,
    steps: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
    begun: Mapping[str, Tensor] | None = None,
) -> Head:
    """(N, C, h, w) features of good parts, (M, C, h, w) of defective ones and what is `wanted` (M, 1, h, w) there.
    `begun`: the state of a head to go on from."""
    mean, deviation = mean_and_deviation(good)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = Head(mean, deviation)
    if begun:
        head.load_state_dict(begun)

    # Where a mask is missing the defect may lie anywhere, so the whole part is looked at.
    side = WINDOW if bool((wanted >= 0).all()) else max(good.shape[2:])
    nothing = torch.zeros(HALF, 1, *good.shape[2:])

    def loss_of(generator: torch.Generator) -> Tensor:
        inputs, marks = windows(good[draw(len(good), HALF, generator)], nothing, side, generator)
        spoilt, where = spoil(inputs[: HALF // 4], deviation, generator)
        inputs, marks = torch.cat([spoilt, inputs[HALF // 4 :]]), torch.cat([where, marks[HALF // 4 :]])
        if len(defective):
            chosen = draw(len(defective), HALF, generator)
            shown = windows(defective[chosen], wanted[chosen], side, generator)
            inputs, marks = torch.cat([inputs, shown[0]]), torch.cat([marks, shown[1]])
        return loss(head(inputs), marks)

    optimise(head, loss_of, steps, RATE, seed, step)
    return head


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
