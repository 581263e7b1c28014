"""A segmentation network that needs no pretrained weights.

U-Net (Ronneberger, Fischer, Brox, MICCAI 2015), small and from stride 2 to 16; taught by pasted defects as in DRAEM
(Zavrtanik, Kristan, Skočaj, ICCV 2021) and by labelled ones.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trialsight_training.detectors.graph import Layers, Mapper, Smoothing, joined
from trialsight_training.detectors.labels import evidence

WIDTHS = (16, 24, 48, 64)


def _block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    # Group norm (Wu, He 2018): batches are small, and a frame must score the same alone and in a batch.
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.GroupNorm(8, after), nn.ReLU())


class UNet(nn.Module):
    """(N, H, W, 3) uint8 RGB to (N, 1, H / 4, W / 4) logits."""

    def __init__(self) -> None:
        super().__init__()
        down = list(zip((3, *WIDTHS[:-1]), WIDTHS, strict=True))
        self.down = nn.ModuleList(_block(before, after, stride=2) for before, after in down)
        self.deep = _block(WIDTHS[-1], WIDTHS[-1])
        # From stride 16 up to 4; the map needs no finer level.
        up = list(zip(WIDTHS[:0:-1], WIDTHS[-2:0:-1], strict=False))
        self.up = nn.ModuleList(_block(below + beside, beside) for below, beside in up)
        self.verdict = nn.Conv2d(WIDTHS[1], 1, 1)

    def forward(self, frame: Tensor) -> Tensor:
        x = frame.permute(0, 3, 1, 2).float() / 127.5 - 1
        levels = []
        for block in self.down:
            x = block(x)
            levels.append(x)
        x = self.deep(x)
        for block, beside in zip(self.up, levels[-2:0:-1], strict=True):
            x = F.interpolate(x, size=beside.shape[-2:], mode="bilinear", align_corners=False)
            x = block(torch.cat([x, beside], dim=1))
        logits: Tensor = self.verdict(x)
        return logits


class Segmenter(Mapper):
    """The network's evidence on the grid that all maps of the backbone have, smoothed there."""

    def __init__(self, network: UNet, stride: int) -> None:
        super().__init__()
        self.network = network
        self.smoothing = Smoothing(stride)

    def forward(self, layers: Layers, frame: Tensor) -> Tensor:
        grid = joined(layers).shape
        seen = F.adaptive_max_pool2d(evidence(self.network(frame)), (grid[2], grid[3]))
        defect_map: Tensor = self.smoothing(seen)[:, 0]
        return defect_map
