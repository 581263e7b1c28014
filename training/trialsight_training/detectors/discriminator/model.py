"""A small head on frozen features.

SuperSimpleNet (Rolih, Fučka, Skočaj, ICPR 2024, "SuperSimpleNet: Unifying Unsupervised and Supervised Learning for
Fast and Reliable Surface Defect Detection"), after SimpleNet (Liu et al., CVPR 2023). Theirs has a classifier beside
the segmenting head; here the score is the map's maximum, which the loss trains as such, of several heads' mean.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trialsight_training.detectors.graph import Layers, Mapper, Smoothing, joined
from trialsight_training.detectors.labels import evidence

HIDDEN = 64


class Head(nn.Module):
    """(N, C, h, w) features to (N, 1, h, w) logits. `mean`, `deviation` (C,) of good patches; an adapter, then a look
    at the neighbours."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.view(1, -1, 1, 1))
        self.register_buffer("deviation", deviation.view(1, -1, 1, 1))
        self.adapter = nn.Conv2d(mean.numel(), HIDDEN, 1)
        self.around = nn.Conv2d(HIDDEN, HIDDEN, 3, padding=1)
        self.verdict = nn.Conv2d(HIDDEN, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        x = torch.relu(self.adapter((features - self.mean) / self.deviation))
        logits: Tensor = self.verdict(torch.relu(self.around(x)))
        return logits


class Discriminator(Mapper):
    """The mean evidence of several heads, smoothed: where one errs by chance, the others don't."""

    def __init__(self, heads: Sequence[Head], smoothing: Smoothing) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)
        self.smoothing = smoothing

    def forward(self, layers: Layers, _frame: Tensor) -> Tensor:
        features = joined(layers)
        found = torch.cat([evidence(head(features)) for head in self.heads], dim=1)
        defect_map: Tensor = self.smoothing(found.mean(1, keepdim=True))[:, 0]
        return defect_map
