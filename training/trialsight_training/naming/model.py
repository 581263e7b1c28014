"""A softmax over classes of defects and `none of them`, patch by patch on the detector's own features."""

import torch
from torch import Tensor, nn

HIDDEN = 64


class Namer(nn.Module):
    """`mean`, `deviation` (C,) of good patches. As small as it is, it costs a hundredth of the backbone's time."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", mean.view(1, -1, 1, 1))
        self.register_buffer("deviation", deviation.view(1, -1, 1, 1))
        self.adapter = nn.Conv2d(mean.numel(), HIDDEN, 1)
        self.verdict = nn.Conv2d(HIDDEN, classes + 1, 1)

    def logits(self, features: Tensor) -> Tensor:
        """(N, C, h, w) to (N, K + 1, h, w), `none of them` last."""
        logits: Tensor = self.verdict(torch.relu(self.adapter((features - self.mean) / self.deviation)))
        return logits

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) features to (N, K, h, w) probabilities; what is missing to 1 is that of no class."""
        return self.logits(features).softmax(1)[:, :-1]
