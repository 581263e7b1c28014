"""Distance from what is usual at each place of the view.

PaDiM (Defard et al., ICPR 2020, "PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and
Localization") keeps a full covariance at each place, which takes a hundred parts to estimate and hundreds of megabytes
to store. Here all places share one basis, and what lies outside it has one variance, as in probabilistic principal
components (Tipping & Bishop 1999): each place keeps a mean and a variance for each direction of the basis alone.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from trialsight_training.detectors.graph import Layers, Mapper, Smoothing, joined


class Spread(nn.Module):
    """`basis` (d, C), orthonormal; `center` (C,); `mean`, `precision` (d, h, w) in the basis; `rest`: 1 / variance
    of a direction outside the basis."""

    basis: Tensor
    center: Tensor
    mean: Tensor
    precision: Tensor
    rest: Tensor

    def __init__(self, basis: Tensor, center: Tensor, mean: Tensor, precision: Tensor, rest: Tensor) -> None:
        super().__init__()
        for name, value in (
            ("basis", basis),
            ("center", center),
            ("mean", mean),
            ("precision", precision),
            ("rest", rest),
        ):
            self.register_buffer(name, value)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) to (N, 1, h, w): the root of the mean squared deviation, 1 where a patch is as usual."""
        x = features - self.center.view(1, -1, 1, 1)
        inside = F.conv2d(x, self.basis[:, :, None, None])
        # By Pythagoras it could come out below 0 where nothing lies outside, but for rounding.
        outside = (x.square().sum(1) - inside.square().sum(1)).clamp(min=0)
        squares = ((inside - self.mean).square() * self.precision).sum(1) + outside * self.rest
        return (squares / features.shape[1]).sqrt()[:, None]


class Gaussian(Mapper):
    """Each patch's deviation, smoothed."""

    def __init__(self, spread: Spread, smoothing: Smoothing) -> None:
        super().__init__()
        self.spread = spread
        self.smoothing = smoothing

    def forward(self, layers: Layers, _frame: Tensor) -> Tensor:
        defect_map: Tensor = self.smoothing(self.spread(joined(layers)))[:, 0]
        return defect_map
