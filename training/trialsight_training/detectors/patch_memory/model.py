"""Distances to remembered good patches.

PatchCore (Roth et al., CVPR 2022, "Towards Total Recall in Industrial Anomaly Detection").
"""

import torch
from torch import Tensor, nn

from trialsight_training.detectors.graph import Mapper, Smoothing


class Memory(nn.Module):
    """Distances to the nearest of `bank` (K, C) patch features, in units of the good patches' own spread.

    The search is one matrix product, the largest x·b - |b|²/2. The distance to what it finds is taken plainly: by the
    expanded norm, small distances would be the difference of large numbers, and no two runtimes would agree on them.
    """

    center: Tensor
    bank: Tensor
    half_norms: Tensor

    def __init__(self, bank: Tensor, center: Tensor, spread: float) -> None:
        super().__init__()
        scaled = (bank - center) / spread
        self.spread = spread
        self.register_buffer("center", center)
        self.register_buffer("bank", scaled.T.contiguous())
        self.register_buffer("half_norms", scaled.square().sum(1) / 2)

    def forward(self, features: Tensor) -> Tensor:
        """(M, C) to (M,) distances."""
        x = (features - self.center) / self.spread
        nearest = torch.addmm(-self.half_norms, x, self.bank).argmax(1)
        return (x - self.bank.T.index_select(0, nearest)).square().sum(1).sqrt()


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
