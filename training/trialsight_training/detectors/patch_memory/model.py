"""The graph: a frame goes in, its defect map and score come out. Everything here is exported to ONNX.

PatchCore (Roth et al., CVPR 2022, "Towards Total Recall in Industrial Anomaly Detection").
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trialsight_training.backbones import Backbone

# The map's pixels are this many input pixels wide.
MAP_STRIDE = 4
# Gaussian in input pixels: between 4 and 8 neither image AUROC nor AUPRO of the reference sets moves by 0.005.
SIGMA_PX = 6.0


def patch_features(backbone: Backbone, frame: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 RGB to (N, C, h, w): each layer averaged over 3x3 neighbours, brought to the first layer's
    grid and concatenated."""
    maps = backbone(frame.permute(0, 3, 1, 2).float() / 255)
    grid = maps[0].shape[-2:]
    pooled = [F.avg_pool2d(one, 3, stride=1, padding=1) for one in maps]
    return torch.cat(
        [
            one if index == 0 else F.interpolate(one, size=grid, mode="bilinear", align_corners=False)
            for index, one in enumerate(pooled)
        ],
        dim=1,
    )


def embed(features: Tensor) -> Tensor:
    """(N, C, h, w) features to (N, C): their mean over the picture, at unit length."""
    return F.normalize(features.mean(dim=(2, 3)), dim=1)


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


class Smoothing(nn.Module):
    """Patch distances to the defect map: bilinear to MAP_STRIDE, then a Gaussian. `stride`: input pixels a patch."""

    kernel: Tensor

    def __init__(self, stride: int, sigma_px: float = SIGMA_PX) -> None:
        super().__init__()
        self.scale = max(1, stride // MAP_STRIDE)
        sigma = sigma_px / min(stride, MAP_STRIDE)
        self.radius = math.ceil(2 * sigma)
        offsets = torch.arange(-self.radius, self.radius + 1, dtype=torch.float32)
        weights = torch.exp(-(offsets**2) / (2 * sigma**2))
        self.register_buffer("kernel", weights / weights.sum())

    def forward(self, distances: Tensor) -> Tensor:
        """(N, 1, h, w) to (N, 1, h * scale, w * scale)."""
        h, w = distances.shape[-2:]
        x = distances
        if self.scale > 1:
            x = F.interpolate(x, size=(h * self.scale, w * self.scale), mode="bilinear", align_corners=False)
        r = self.radius
        x = F.pad(x, (r, r, r, r), mode="replicate")
        return F.conv2d(F.conv2d(x, self.kernel.view(1, 1, -1, 1)), self.kernel.view(1, 1, 1, -1))


class PatchMemory(nn.Module):
    """The model of a package. The score is the map's maximum, so a part passes exactly where no region reaches t1."""

    def __init__(self, backbone: Backbone, memory: Memory, smoothing: Smoothing) -> None:
        super().__init__()
        self.backbone = backbone
        self.memory = memory
        self.smoothing = smoothing

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """uint8 (N, H, W, 3) RGB to `defect_map` float32 (N, h, w), `score` float32 (N), `embedding` float32 (N, C)."""
        features = patch_features(self.backbone, frame)
        return (*self.judge(features), embed(features))

    def judge(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, h, w) features to the map and the score."""
        n, c, h, w = features.shape
        distances = self.memory(features.permute(0, 2, 3, 1).reshape(n * h * w, c))
        defect_map = self.smoothing(distances.view(n, 1, h, w))[:, 0]
        return defect_map, defect_map.amax(dim=(1, 2))
