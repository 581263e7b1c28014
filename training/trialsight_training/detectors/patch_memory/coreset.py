"""Greedy k-centre selection of the memory bank (Sener, Savarese 2018, as PatchCore uses it), in few passes.

The textbook measures all points against each new centre. But a point's distance to the nearest centre only falls: as
long as the farthest of a few candidates is farther than all others were when they were last measured, it is the next
centre, whatever the others have become. So the farthest few hundred points are taken aside, centres are chosen among
them until that no longer holds, and one pass measures all points against all of those (the lazy evaluation of Minoux,
"Accelerated greedy algorithms", 1978). The choice is the textbook's own, for about a twentieth of its passes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

CANDIDATES = 384
# Points measured at a time: their distances to a few hundred centres fit a core's cache.
BLOCK = 2048


@dataclass(frozen=True)
class Cover:
    """`chosen` (K,) indices of the centres. `nearest` (groups, n): each point's squared distance to the nearest centre
    of each group, infinite where a group has none. `radius`: the largest squared distance that is left."""

    chosen: Tensor
    nearest: Tensor
    radius: float


def greedy_cover(points: Tensor, size: int, seed: int, groups: Tensor | None = None) -> Cover:
    """`size` of `points` (n, d), or all where there are fewer. It starts at a random point of the seed's and then takes
    the point farthest from those it has. `groups` (n,) from 0: the centres are told apart by them."""
    groups = torch.zeros(len(points), dtype=torch.long) if groups is None else groups
    nearest = torch.full((int(groups.max()) + 1, len(points)), torch.inf)
    first = torch.randint(len(points), (1,), generator=torch.Generator().manual_seed(seed))
    return _go_on(points, groups, nearest, first, min(size, len(points)), -torch.inf)


def cover_without(points: Tensor, cover: Cover, groups: Tensor, group: int) -> Tensor:
    """Indices of a bank that knows nothing of `group`: the cover's centres of other groups and, where only the group's
    own covered what lies around, more points of others, until all lie as near as the whole cover's do. So it is as
    dense as the whole one: were it as large, held-out parts would score lower than new ones."""
    others = (groups != group).nonzero()[:, 0]
    kept = cover.chosen[groups[cover.chosen] != group]
    nearest = cover.nearest[torch.arange(len(cover.nearest)) != group]
    nearest = nearest.amin(0, keepdim=True) if len(nearest) else torch.full((1, len(points)), torch.inf)
    nearest[0, kept] = -torch.inf
    nearest = nearest[:, others]
    if not len(others) or float(nearest.max()) <= cover.radius:
        return kept
    at = nearest[0].argmax()
    alike = torch.zeros(len(others), dtype=torch.long)
    more = _go_on(points[others], alike, nearest, at[None], len(others), cover.radius)
    return torch.cat([kept, others[more.chosen]])


def _go_on(points: Tensor, groups: Tensor, nearest: Tensor, newest: Tensor, most: int, radius: float) -> Cover:
    """From `newest` on until there are `most` more centres or no point is farther than `radius` from all."""
    # |x - c|² - |x|² is linear in (x, 1): one product, whose result stays in the cache while its minima are taken.
    norms = points.square().sum(1)
    blocks = [torch.cat([some.T, torch.ones(1, len(some))]) for some in torch.split(points, BLOCK)]
    closest = nearest.amin(0)
    chosen: list[Tensor] = []
    while len(newest):
        chosen.append(newest)
        most -= len(newest)
        newest = newest[groups[newest].argsort()]
        forms = torch.cat([-2 * points[newest], norms[newest, None]], dim=1)
        present, counts = torch.unique(groups[newest], return_counts=True)
        for start, block in zip(range(0, len(points), BLOCK), blocks, strict=True):
            here = slice(start, start + BLOCK)
            for group, apart in zip(present.tolist(), torch.split(forms @ block, counts.tolist()), strict=True):
                near = nearest[group, here]
                torch.minimum(near, apart.amin(0).add_(norms[here]), out=near)
        torch.minimum(closest, nearest.amin(0), out=closest)
        closest[newest] = -torch.inf  # it is at 0 but for rounding, and must never be chosen again
        newest = _farthest(points, norms, closest, most, radius)
    return Cover(torch.cat(chosen), nearest, max(0.0, float(closest.max())))


def _farthest(points: Tensor, norms: Tensor, nearest: Tensor, most: int, radius: float) -> Tensor:
    """The next centres, `most` of them or until the candidates can no longer tell, or none is beyond `radius`."""
    distance, candidates = torch.topk(nearest, min(CANDIDATES, len(nearest)))
    # Nothing outside is farther than the nearest candidate was.
    outside = float(distance[-1]) if len(candidates) < len(nearest) else -torch.inf
    among = points[candidates]
    between = torch.addmm(norms[candidates], among, among.T, alpha=-2).add_(norms[candidates][:, None])
    picked: list[int] = []
    while len(picked) < most:
        farthest, at = distance.max(0)
        if float(farthest) <= radius or (picked and float(farthest) <= outside):
            break
        picked.append(int(at))
        torch.minimum(distance, between[at], out=distance)
        distance[at] = -torch.inf
    return candidates[picked]
