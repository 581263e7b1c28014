"""Greedy k-centre selection of the memory bank (Sener, Savarese 2018, as PatchCore uses it), for many banks at once.

The squared distance to a centre c in its expanded form, |x|² - 2 x·c + |c|², needs one matrix product a step instead of
the differences of the textbook loop. What a step costs is reading the points, so the banks of all calibration folds
are grown in step with the final one and share that reading.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

# Johnson and Lindenstrauss (1984): distances survive a random projection well enough to choose by.
PROJECTED = 64


def greedy_coresets(
    points: Tensor,
    sizes: Sequence[int],
    allowed: Tensor,
    seed: int,
    projected: int | None = PROJECTED,
    step: Callable[[], None] = lambda: None,
) -> list[Tensor]:
    """One index tensor a row of `allowed` (banks, n) bool, which says from which of `points` (n, d) each bank may take.

    Every bank starts at a random point of the seed's and then takes the point farthest from those it has, until it has
    its number of `sizes`, or every allowed point where there are fewer. `step` is called after each round.
    """
    generator = torch.Generator().manual_seed(seed)
    if projected is not None and projected < points.shape[1]:
        matrix = torch.randn(points.shape[1], projected, generator=generator) / projected**0.5
        points = points @ matrix
    # (d, n): the product of a few centres with it is what a step costs, and this layout is the fastest for it.
    columns = points.T.contiguous()
    norms = points.square().sum(1)
    banks = len(allowed)
    sizes = [min(size, int(bank.sum())) for size, bank in zip(sizes, allowed, strict=True)]
    draws = [int(torch.randint(int(bank.sum()), (1,), generator=generator)) for bank in allowed]
    newest = torch.stack([bank.nonzero()[draw, 0] for bank, draw in zip(allowed, draws, strict=True)])
    chosen = [newest]
    nearest = torch.where(allowed, torch.inf, -torch.inf)
    with _one_thread():
        for _ in range(max(sizes) - 1):
            distances = torch.addmm(norms, points[newest], columns, alpha=-2).add_(norms[newest][:, None])
            torch.minimum(nearest, distances, out=nearest)
            # A chosen point is at 0 but for rounding, and must never be chosen again.
            nearest[torch.arange(banks), newest] = -torch.inf
            newest = nearest.argmax(1)
            chosen.append(newest)
            step()
    picks = torch.stack(chosen, dim=1)
    return [pick[:size] for pick, size in zip(picks, sizes, strict=True)]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Steps of about a millisecond: on a busy machine, threads that wait for each other cost 20 times that."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
