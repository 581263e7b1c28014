"""Distances to remembered good patches.

PatchCore (Roth et al., CVPR 2022, "Towards Total Recall in Industrial Anomaly Detection").
"""

import torch
from torch import Tensor, nn

from trialsight_training.detectors.graph import Mapper, Smoothing

# The search runs along so many of the bank's principal axes; the best few that it finds are then measured in all
# channels (docs/decisions/0013-search.md).
AXES, CANDIDATES = 64, 3
# A candidate is the best of its group: runtimes vectorise a maximum, but not its place, nor a search for the first few.
GROUP = 32


class Memory(nn.Module):
    """Distances to the nearest of `bank` (K, C) patch features, in units of the good patches' own spread.

    The search is one matrix product, the largest x·b - |b|²/2, along `axes` (C, A; left out: all of them). Distances to
    what it finds are taken plainly: by the expanded norm, small ones would be differences of large numbers, and no two
    runtimes would agree on them. There are several candidates so that it doesn't matter which of two that are equally
    near along the axes a runtime finds first.
    """

    center: Tensor
    bank: Tensor
    axes: Tensor
    search: Tensor
    half_norms: Tensor

    def __init__(self, bank: Tensor, center: Tensor, spread: float, axes: Tensor | None = None) -> None:
        super().__init__()
        self.spread = spread
        self.size = len(bank)
        self.groups = -(-self.size // GROUP)
        padded = torch.arange(self.groups * GROUP) % self.size  # the last group is filled up with the first patches
        centred = (bank - center)[padded]
        self.projects = axes is not None
        along = centred if axes is None else centred @ axes
        self.register_buffer("center", center)
        self.register_buffer("bank", centred)
        self.register_buffer("axes", torch.empty(0) if axes is None else axes)
        self.register_buffer("search", along.T.contiguous())
        self.register_buffer("half_norms", along.square().sum(1) / 2)

    def forward(self, features: Tensor) -> Tensor:
        """(M, C) to (M,) distances."""
        x = features - self.center
        nearness = torch.addmm(-self.half_norms, x @ self.axes if self.projects else x, self.search)
        groups = nearness.view(-1, self.groups, GROUP)
        best = groups.amax(2).topk(min(CANDIDATES, self.groups)).indices  # (M, candidates)
        within = groups.gather(1, best[:, :, None].expand(-1, -1, GROUP)).argmax(2)
        found = self.bank.index_select(0, (best * GROUP + within).flatten()).view(*best.shape, -1)
        apart = x[:, None] - found
        return (apart * apart).sum(2).amin(1).sqrt() / self.spread


def principal_axes(points: Tensor, count: int = AXES) -> Tensor | None:
    """(n, C) centred points to the (C, count) directions in which they are widest; None where C is no more."""
    if points.shape[1] <= count:
        return None
    points = points.double()
    directions: Tensor = torch.linalg.eigh(points.T @ points)[1]
    return directions[:, -count:].flip(1).float().contiguous()


class PatchMemory(Mapper):
    """Each patch's distance, smoothed."""

    def __init__(self, memory: Memory, smoothing: Smoothing) -> None:
        super().__init__()
        self.memory = memory
        self.smoothing = smoothing

    def forward(self, features: Tensor, _frame: Tensor) -> Tensor:
        n, c, h, w = features.shape
        distances = self.memory(features.permute(0, 2, 3, 1).reshape(n * h * w, c))
        defect_map: Tensor = self.smoothing(distances.view(n, 1, h, w))[:, 0]
        return defect_map
