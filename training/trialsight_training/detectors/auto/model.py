"""Several detectors' maps as one, on the one scale of good parts.

Ours; nearest in kind is the calibrated late fusion of an unsupervised and a supervised branch in DRA (Ding, Pang, Shen,
CVPR 2022, "Catching Both Gray and Black Swans: Open-set Supervised Anomaly Detection").
"""

import torch
from torch import Tensor, nn

from trialsight_training.detectors.graph import Layers, Mapper


class Fusion(Mapper):
    """`bases` know what is good, `head`, if any, what labelled defects look like.

    The bases' mean, each in units of its `levels` (the median good part's score), and `weight` times the square of the
    head's evidence, which is near 0 where it sees nothing: there the score is the bases' alone, and a defect of an
    unknown kind shows as if there were no head. Squared, since evidence below even odds is mostly good parts' noise.
    """

    levels: Tensor

    def __init__(self, bases: list[Mapper], levels: Tensor, head: Mapper | None, weight: float) -> None:
        super().__init__()
        self.bases = nn.ModuleList(bases)
        self.register_buffer("levels", levels)
        self.head = head
        self.weight = weight

    def forward(self, layers: Layers, frame: Tensor) -> Tensor:
        bases = [base(layers, frame) for base in self.bases]
        return self.join(bases, None if self.head is None else self.head(layers, frame))

    def join(self, bases: list[Tensor], head: Tensor | None) -> Tensor:
        """Maps (N, h, w) of each to the joint one; also for maps that held-out detectors made."""
        joint = torch.stack([base / level for base, level in zip(bases, self.levels, strict=True)]).mean(0)
        return joint if head is None else joint + self.weight * head.square()
