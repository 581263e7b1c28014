"""Labelled defects as targets on a grid, and what is learned from them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from trialsight_training.detectors.detector import Defective

UNKNOWN = -1.0


def targets(defective: Defective, grid: tuple[int, int]) -> Tensor:
    """(M, 1, h, w): 1 where a cell holds a trace of the defect, 0 elsewhere; UNKNOWN all over without a mask."""
    cells = [torch.full((1, *grid), UNKNOWN) if mask is None else covered(mask[None], grid) for mask in defective.masks]
    return torch.stack(cells) if cells else torch.empty(0, 1, *grid)


def covered(masks: Tensor, grid: tuple[int, int]) -> Tensor:
    """(..., H, W) bool to (..., h, w): 1 in each cell that a mask touches."""
    return F.adaptive_max_pool2d(masks.float(), grid)


def widened(wanted: Tensor) -> Tensor:
    """(M, 1, h, w) targets with the cells around a defect: what a backbone says of them speaks of the defect too, and
    taken for good they would contradict it."""
    return F.max_pool2d(wanted, 3, stride=1, padding=1)


def evidence(logits: Tensor) -> Tensor:
    """Logits as a map that is nowhere negative: near 0 where surely good, 1 at even odds, growing evenly beyond."""
    return F.softplus(logits + 4) / 4


def loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Of (N, 1, h, w) logits. Cells: cross entropy, good and defective ones weighing the same however few they are.
    Parts: cross entropy of the highest logit, which is all that an image-level label says anything of."""
    known = wanted >= 0
    each = F.binary_cross_entropy_with_logits(logits, wanted.clamp(min=0), reduction="none")
    defective, good = each[known & (wanted > 0.5)], each[known & (wanted <= 0.5)]
    cells = sum((part.mean() for part in (defective, good) if len(part)), start=torch.zeros(()))
    highest = logits.flatten(1).amax(1)
    is_defective = (wanted.flatten(1).amax(1) != 0).float()
    return cells + F.binary_cross_entropy_with_logits(highest, is_defective)


def windows(maps: Tensor, marks: Tensor, side: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A window of (N, C, h, w) `maps` and of their (N, 1, h, w) `marks`, at most `side` cells wide, each at a place by
    lot that shows a marked cell where there is one."""
    height, width = (min(side, length) for length in maps.shape[2:])
    if (height, width) == tuple(maps.shape[2:]):
        return maps, marks
    cut_maps, cut_marks = [], []
    for one, mark in zip(maps, marks, strict=True):
        cells = (mark[0] > 0.5).nonzero()
        room = [(whole, part) for whole, part in zip(maps.shape[2:], (height, width), strict=True)]
        corner = [int(draw(whole - part + 1, 1, generator)) for whole, part in room]
        if len(cells):
            cell = cells[int(draw(len(cells), 1, generator))].tolist()
            corner = [
                min(max(at - int(draw(part, 1, generator)), 0), whole - part)
                for at, (whole, part) in zip(cell, room, strict=True)
            ]
        window = slice(corner[0], corner[0] + height), slice(corner[1], corner[1] + width)
        cut_maps.append(one[:, *window])
        cut_marks.append(mark[:, *window])
    return torch.stack(cut_maps), torch.stack(cut_marks)


def draw(among: int, count: int, generator: torch.Generator) -> Tensor:
    """(count,) indices below `among`, with repetitions."""
    return torch.randint(among, (count,), generator=generator)
