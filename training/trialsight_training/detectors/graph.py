"""The graph that every detector exports, and the parts that detectors share. All of it becomes ONNX."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trialsight.detector import CLASS_MAP, EMBEDDING, OUTPUTS
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


class Smoothing(nn.Module):
    """Patch scores to the defect map: bilinear to MAP_STRIDE, then a Gaussian. `stride`: input pixels a patch."""

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


class Mapper(nn.Module):
    """What differs between detectors: features and, for some, the frame itself, to the defect map."""

    def forward(self, features: Tensor, frame: Tensor) -> Tensor:
        """(N, C, h, w) and uint8 (N, H, W, 3) RGB to (N, h', w'), where Smoothing's scale is h' / h."""
        raise NotImplementedError


class Detector(nn.Module):
    """The model of a package. The score is the map's maximum, so a part passes exactly where no region reaches t1.

    `namer`: features to the probabilities of each class of defect; left out, the model names none.
    """

    def __init__(self, backbone: Backbone, mapper: Mapper, namer: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.mapper = mapper
        self.namer = namer

    @property
    def outputs(self) -> list[str]:
        """Names of what `forward` gives."""
        return [*OUTPUTS, EMBEDDING, *([CLASS_MAP] if self.namer else [])]

    def forward(self, frame: Tensor) -> tuple[Tensor, ...]:
        """uint8 (N, H, W, 3) RGB to `defect_map` float32 (N, h, w), `score` float32 (N), `embedding` float32 (N, C),
        and with a namer `class_map` float32 (N, K, h', w')."""
        features = patch_features(self.backbone, frame)
        defect_map = self.mapper(features, frame)
        found = (defect_map, defect_map.amax(dim=(1, 2)), embed(features))
        return found if self.namer is None else (*found, self.namer(features))
