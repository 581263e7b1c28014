"""Features of good parts to a mean and a variance at each place, and to those without each calibration fold."""

import torch
import torch.nn.functional as F
from torch import Tensor

from trialsight_training.detectors.detector import Learned, Lesson
from trialsight_training.detectors.gaussian.model import Gaussian, Spread
from trialsight_training.detectors.graph import Detector, Smoothing, joint_stride
from trialsight_training.detectors.held_out import held_out_maps
from trialsight_training.progress import Progress

RANK = 96
# A place's own statistics weigh as those of so many parts' worth of all places': few parts say little of one place.
PRIOR_PARTS = 4.0
# A part lies a patch further to one side or another: its neighbours' statistics are a place's own as well.
NEIGHBOURS = 3
# Patches that say in which directions good ones vary.
MOST = 120_000
AXES = ("center", "basis", "rest")


def learn(lesson: Lesson, progress: Progress) -> Learned:
    """From good parts alone: labelled defects are scored, not learned. An update keeps the axes and takes each
    place's moments anew, of all parts."""
    smoothing = Smoothing(joint_stride(lesson.backbone))
    good = lesson.good
    count = int(good.folds.max()) + 1
    with progress.task("gaussian", count + 1) as step:
        known = lesson.previous or dict(zip(AXES, principal(_some(good.features), RANK), strict=True))
        center, basis, rest = (known[name] for name in AXES)
        inside = project(good.features, center, basis)
        spreads = []
        for fold in range(-1, count):
            mean, precision = usual(inside[good.folds != fold])
            spreads.append(Spread(basis, center, mean, precision, rest))
            step()
    whole, *without = (Gaussian(spread, smoothing) for spread in spreads)
    good_maps, defect_maps = held_out_maps(lesson, without, progress)
    return Learned(
        model=Detector(lesson.backbone, whole).eval(),
        good_maps=good_maps,
        defect_maps=defect_maps,
        description={"rank": len(basis)},
        state=known,
    )


def _some(features: Tensor) -> Tensor:
    """(N, C, h, w) to at most MOST rows (n, C), spread over all; they may lie on disk."""
    parts, _, h, w = features.shape
    every = max(1, parts * h * w // MOST)
    return torch.cat([one.flatten(1).T[place % every :: every] for place, one in enumerate(features)])


def principal(points: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """(n, C) points to their centre (C,), the `rank` widest directions (d, C), and 1 / variance of the others'."""
    center = points.mean(0)
    centred = points - center
    covariance = centred.T @ centred / len(points)
    variances, directions = torch.linalg.eigh(covariance.double())
    rank = min(rank, len(variances) - 1)
    floor = variances[-1] * 1e-6
    rest = 1 / torch.maximum(variances[:-rank].mean(), floor)
    return center, directions[:, -rank:].T.flip(0).float().contiguous(), rest.float()


def project(features: Tensor, center: Tensor, basis: Tensor) -> Tensor:
    """(N, C, h, w) to (N, d, h, w)."""
    return F.conv2d(features - center.view(1, -1, 1, 1), basis[:, :, None, None])


def usual(inside: Tensor) -> tuple[Tensor, Tensor]:
    """(N, d, h, w) of good parts to each place's mean and 1 / variance (d, h, w), drawn towards those of all places."""
    parts = len(inside)
    own = parts / (parts + PRIOR_PARTS)
    mean = own * _around(inside.mean(0)) + (1 - own) * inside.mean((0, 2, 3))[:, None, None]
    squares = (inside - mean).square()
    everywhere = squares.mean((0, 2, 3))[:, None, None]
    variance = own * _around(squares.mean(0)) + (1 - own) * everywhere
    return mean, 1 / torch.maximum(variance, everywhere.mean() * 1e-6)


def _around(values: Tensor) -> Tensor:
    return F.avg_pool2d(values[None], NEIGHBOURS, 1, NEIGHBOURS // 2, count_include_pad=False)[0]
