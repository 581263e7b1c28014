"""Where a small network fails to foresee the backbone's features, it sees what good parts never showed it.

STFPM (Wang et al., BMVC 2021, "Student-Teacher Feature Pyramid Matching for Anomaly Detection"), with EfficientAD's
(Batzner, Heckler, König, WACV 2024) small student and its features normalised channel by channel.
"""

import torch
from torch import Tensor, nn

from trialsight_training.backbones.backbone import IMAGENET_MEAN, IMAGENET_STD
from trialsight_training.detectors.graph import Layers, Mapper, Smoothing, joined

WIDTH = 48
DILATIONS = (1, 2, 4)


class Pupil(nn.Module):
    """(N, H, W, 3) uint8 RGB to (N, C, H / stride, W / stride). Sees some 150 pixels around at stride 8."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        halvings = stride.bit_length() - 1
        layers: list[nn.Module] = []
        before = 3
        for left in reversed(range(halvings)):
            width = max(16, WIDTH >> left)
            layers += [nn.Conv2d(before, width, 3, 2, 1), nn.ReLU()]
            before = width
        for dilation in DILATIONS:
            layers += [nn.Conv2d(before, WIDTH, 3, 1, dilation, dilation), nn.ReLU()]
            before = WIDTH
        self.body = nn.Sequential(*layers, nn.Conv2d(before, channels, 1))

    mean: Tensor
    std: Tensor

    def forward(self, frame: Tensor) -> Tensor:
        guess: Tensor = self.body((frame.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std)
        return guess


class StudentTeacher(Mapper):
    """The pupil's error. `mean`, `deviation` (C,): of the good parts' features. `usual` (C,): the variance of each
    channel, in these units, that the pupil doesn't explain on good parts."""

    mean: Tensor
    deviation: Tensor
    usual: Tensor

    def __init__(self, pupil: Pupil, mean: Tensor, deviation: Tensor, usual: Tensor, smoothing: Smoothing) -> None:
        super().__init__()
        self.pupil = pupil
        for name, value in (("mean", mean), ("deviation", deviation), ("usual", usual)):
            self.register_buffer(name, value.view(1, -1, 1, 1))
        self.smoothing = smoothing

    def errors(self, features: Tensor, frame: Tensor) -> Tensor:
        """(N, C, h, w): squared, in units of the channel's variance."""
        wanted = (features - self.mean) / self.deviation
        guess: Tensor = self.pupil(frame)
        return (wanted - guess).square()

    def forward(self, layers: Layers, frame: Tensor) -> Tensor:
        errors = self.errors(joined(layers), frame)
        error = (errors / self.usual).mean(1, keepdim=True).sqrt()
        defect_map: Tensor = self.smoothing(error)[:, 0]
        return defect_map
