"""Greedy k-centre selection of the memory bank (Sener, Savarese 2018, as PatchCore uses it), in few passes.

The textbook measures all points against each new centre. But a point's distance to the nearest centre only falls: as
long as the farthest of a few candidates is farther than all others were when they were last measured, it is the next
centre, whatever the others have become. So the farthest few hundred points are taken aside, centres are chosen among
them until that no longer holds, and one pass measures all points against all of those (the lazy evaluation of Minoux,
"Accelerated greedy algorithms", 1978). The choice is the textbook's own, for about a twentieth of its passes.
"""

import torch
from torch import Tensor

# Johnson and Lindenstrauss (1984): distances survive a random projection well enough to choose by.
PROJECTED = 64
CANDIDATES = 384


def project(points: Tensor, seed: int) -> Tensor:
    """(n, d) to (n, PROJECTED), or unchanged where that has no fewer numbers."""
    width = points.shape[1]
    if width <= PROJECTED:
        return points
    generator = torch.Generator().manual_seed(seed)
    projected: Tensor = points @ (torch.randn(width, PROJECTED, generator=generator) / PROJECTED**0.5)
    return projected


def greedy_coreset(points: Tensor, size: int, seed: int) -> Tensor:
    """(size,) indices into `points` (n, d), or of all of them where there are fewer.

    It starts at a random point of the seed's and then takes the point farthest from those it has.
    """
    n = len(points)
    size = min(size, n)
    # (d, n): the product of a few centres with it is what a pass costs, and this layout is the fastest for it.
    columns = points.T.contiguous()
    norms = points.square().sum(1)
    nearest = torch.full((n,), torch.inf)
    newest = torch.randint(n, (1,), generator=torch.Generator().manual_seed(seed))
    chosen = [newest]
    left = size - 1
    while left:
        distances = torch.addmm(norms, points[newest], columns, alpha=-2).add_(norms[newest][:, None])
        torch.minimum(nearest, distances.amin(0), out=nearest)
        nearest[newest] = -torch.inf  # it is at 0 but for rounding, and must never be chosen again
        newest = _farthest(points, norms, nearest, left)
        chosen.append(newest)
        left -= len(newest)
    return torch.cat(chosen)


def _farthest(points: Tensor, norms: Tensor, nearest: Tensor, most: int) -> Tensor:
    """The next centres, `most` of them or until the candidates can no longer tell."""
    distance, candidates = torch.topk(nearest, min(CANDIDATES, len(nearest)))
    # Nothing outside is farther than the nearest candidate was.
    outside = float(distance[-1]) if len(candidates) < len(nearest) else -torch.inf
    among = points[candidates]
    between = torch.addmm(norms[candidates], among, among.T, alpha=-2).add_(norms[candidates][:, None])
    picked: list[int] = []
    while len(picked) < most:
        farthest, at = distance.max(0)
        if picked and float(farthest) <= outside:
            break
        picked.append(int(at))
        torch.minimum(distance, between[at], out=distance)
        distance[at] = -torch.inf
    return candidates[picked]
