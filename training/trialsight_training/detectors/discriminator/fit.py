"""Good features, spoilt ones and those of labelled defects to the head, and to one without each group of folds."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from trialsight_training.detectors.detector import Learned, Lesson
from trialsight_training.detectors.discriminator.model import Discriminator, Head
from trialsight_training.detectors.graph import Detector, Smoothing
from trialsight_training.detectors.held_out import fold_count, grouped, held_out_maps
from trialsight_training.detectors.labels import draw, loss, targets
from trialsight_training.detectors.optimise import optimise
from trialsight_training.detectors.spread import mean_and_deviation
from trialsight_training.progress import Progress

STEPS, RATE, BATCH, GROUPS = 150, 1e-3, 4, 3
# Gaussian noise in deviations of the good features. Its strength varies, so that the head learns no one distance.
NOISE = 1.0


def learn(lesson: Lesson, progress: Progress) -> Learned:
    """From good parts and feature noise, and from labelled defects where there are any, with masks or without."""
    lesson = grouped(lesson, GROUPS)
    good, defective = lesson.good, lesson.defective
    smoothing = Smoothing(lesson.backbone.strides[0])
    wanted = targets(defective, (good.features.shape[2], good.features.shape[3]))
    heads = []
    count, steps = fold_count(lesson), lesson.spec.steps or STEPS
    with progress.task("discriminator", steps * (count + 1)) as step:
        for fold in range(-1, count):
            known, labelled = good.folds != fold, defective.folds != fold
            marked = defective.features[labelled], wanted[labelled]
            heads.append(fit_head(good.features[known], *marked, steps, lesson.seed, step))
    whole, *without = (Discriminator(head, smoothing) for head in heads)
    good_maps, defect_maps = held_out_maps(lesson, without, progress)
    return Learned(
        model=Detector(lesson.backbone, whole).eval(),
        good_maps=good_maps,
        defect_maps=defect_maps,
        description={"labelled_defects": len(defective)},
    )


def fit_head(
    good: Tensor,
    defective: Tensor,
    wanted: Tensor,
    steps: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> Head:
    """(N, C, h, w) features of good parts, (M, C, h, w) of defective ones and what is `wanted` (M, 1, h, w) there."""
    mean, deviation = mean_and_deviation(good)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = Head(mean, deviation)

    def loss_of(generator: torch.Generator) -> Tensor:
        inputs = good[draw(len(good), BATCH, generator)]
        half = BATCH // 2
        spoilt, where = spoil(inputs[:half], deviation, generator)
        inputs = torch.cat([spoilt, inputs[half:]])
        marks = torch.cat([where, torch.zeros_like(where)])
        if len(defective):
            chosen = draw(len(defective), BATCH, generator)
            inputs, marks = torch.cat([inputs, defective[chosen]]), torch.cat([marks, wanted[chosen]])
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
