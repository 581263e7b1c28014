"""Patches within labelled defects to a head that tells their classes, and to one without each group of folds."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from trialsight.naming import UNNAMED
from trialsight_training.detectors.detector import Defective, Good
from trialsight_training.detectors.labels import UNKNOWN, draw, targets, widened
from trialsight_training.detectors.optimise import optimise
from trialsight_training.detectors.spread import mean_and_deviation
from trialsight_training.naming.model import Namer
from trialsight_training.progress import Progress

# Labelled parts that a class needs, so that whichever is held out, others show what is to be learned.
FEWEST = 3
STEPS, RATE, GROUPS = 150, 2e-3, 3
# Patches a step: of each class; of good parts as they are, and as many spoilt by noise, which are of no class either.
EACH, GOOD = 16, 32
# In deviations of the good features: what moves every patch a little, so that few parts teach more than themselves.
JITTER = 0.5
# Of a part whose defect nobody has drawn, the share of patches that is taken for it.
STRONGEST = 0.01
# Good patches that say what is usual.
USUAL = 4096


@dataclass(frozen=True)
class Named:
    """`namer` is what will be exported, for `classes`. `without[g]`: one that knows no part whose fold is g modulo
    their number."""

    classes: tuple[str, ...]
    namer: Namer
    without: tuple[Namer, ...]


@dataclass(frozen=True)
class _Cells:
    """The patches (n, C) of one class, part after part, and of each the number of its part and that part's fold."""

    features: Tensor
    parts: Tensor
    folds: Tensor

    def among(self, known: Tensor) -> "_Cells":
        return _Cells(self.features[known], self.parts[known], self.folds[known])

    def drawn(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, C): parts by lot, then a patch of each, so that large defects don't outweigh small ones."""
        sizes = self.parts.bincount()
        sizes = sizes[sizes > 0]
        starts = sizes.cumsum(0) - sizes
        part = draw(len(sizes), count, generator)
        return self.features[starts[part] + (torch.rand(count, generator=generator) * sizes[part]).long()]


def learn_classes(good: Good, defective: Defective, maps: Tensor, seed: int, progress: Progress) -> Named | None:
    """`maps` (M, h, w): of the labelled parts by detectors that didn't learn them; they say where a defect lies that
    nobody has drawn. None where no class has FEWEST labelled parts."""
    cells = _cells(defective, maps)
    for label in sorted(set(defective.labels) - {UNNAMED} - set(cells)):
        progress.note(f"no region will be of class {label!r}: that takes {FEWEST} labelled parts of it")
    if not cells:
        return None
    groups = min(GROUPS, int(good.folds.max()) + 1)
    namers = []
    with progress.task("classes", (groups + 1) * STEPS) as step:
        for group in range(-1, groups):
            usual = (good.folds % groups != group).nonzero()[:, 0]
            known = [one.among(one.folds % groups != group) for one in cells.values()]
            namers.append(_fit_namer(good.features, usual, known, seed, step))
    return Named(tuple(cells), namers[0], tuple(namers[1:]))


def _cells(defective: Defective, maps: Tensor) -> dict[str, _Cells]:
    """Class to its patches, of those classes that can be learned."""
    if not len(defective) or len(maps) != len(defective):
        return {}
    grid = (defective.features.shape[2], defective.features.shape[3])
    inside = [
        _strongest(one, grid) if bool((wanted == UNKNOWN).all()) else wanted[0] > 0
        for wanted, one in zip(widened(targets(defective, grid)), maps, strict=True)
    ]
    found: dict[str, _Cells] = {}
    for label in sorted(set(defective.labels) - {UNNAMED}):
        own = [place for place, one in enumerate(defective.labels) if one == label and bool(inside[place].any())]
        if len(own) < FEWEST:
            continue
        patches = [defective.features[place][:, inside[place]].T for place in own]
        sizes = torch.tensor([len(one) for one in patches])
        numbers = torch.arange(len(own)).repeat_interleave(sizes)
        found[label] = _Cells(torch.cat(patches), numbers, defective.folds[own].repeat_interleave(sizes))
    return found


def _strongest(defect_map: Tensor, grid: tuple[int, int]) -> Tensor:
    """(h, w) of `grid`: the cells of highest score."""
    scores = F.adaptive_max_pool2d(defect_map[None], grid)[0]
    count = max(1, round(STRONGEST * scores.numel()))
    return scores >= scores.flatten().topk(count).values[-1]


def _fit_namer(features: Tensor, usual: Tensor, known: list[_Cells], seed: int, step: Callable[[], None]) -> Namer:
    """`features` (N, C, h, w) of good parts, of which those numbered in `usual` may be looked at; `known`: of each
    class the patches to learn, of some perhaps none."""

    def good(count: int, generator: torch.Generator) -> Tensor:
        y, x = (draw(length, count, generator) for length in features.shape[2:])
        return features[usual[draw(len(usual), count, generator)], :, y, x]

    mean, deviation = mean_and_deviation(good(USUAL, torch.Generator().manual_seed(seed))[:, :, None, None])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        namer = Namer(mean, deviation, len(known))
    shown = [number for number, one in enumerate(known) if len(one.parts)]
    wanted = torch.tensor([number for number in shown for _ in range(EACH)] + 2 * GOOD * [len(known)])

    def loss_of(generator: torch.Generator) -> Tensor:
        spoilt = good(GOOD, generator)
        strength = torch.exp(0.5 * torch.randn(GOOD, 1, generator=generator)) * deviation
        spoilt = spoilt + strength * torch.randn(spoilt.shape, generator=generator)
        patches = [*(known[number].drawn(EACH, generator) for number in shown), good(GOOD, generator), spoilt]
        inputs = torch.cat(patches)
        inputs = inputs + JITTER * deviation * torch.randn(inputs.shape, generator=generator)
        return F.cross_entropy(namer.logits(inputs[:, :, None, None])[:, :, 0, 0], wanted)

    optimise(namer, loss_of, STEPS, RATE, seed, step)
    return namer
