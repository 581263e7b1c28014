"""What every backbone offers a detector: a frame in 0..1 goes in, feature maps of known width and stride come out."""

import torch
from torch import Tensor, nn

# What torchvision's classification weights were trained with, in RGB.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Backbone(nn.Module):
    """Normalises and runs `body`, which maps (N, 3, H, W) to one feature map for each name in `layers`.

    `channels` and `strides` (input pixels a feature) are measured, not declared. Frozen and in evaluation mode.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        name: str,
        layers: tuple[str, ...],
        body: nn.Module,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.name = name
        self.layers = layers
        self.body = body.eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        with torch.no_grad():
            maps = self(torch.zeros(1, 3, 128, 128))
        self.channels = tuple(int(one.shape[1]) for one in maps)
        self.strides = tuple(128 // int(one.shape[2]) for one in maps)

    def forward(self, frame: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) float32 RGB in 0..1 to one (N, C, H / stride, W / stride) map a layer."""
        maps = self.body((frame - self.mean) * self.scale)
        return tuple(maps.values()) if isinstance(maps, dict) else tuple(maps)
