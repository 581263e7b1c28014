"""The graph that every detector exports, and the parts that detectors share. All of it becomes ONNX."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trialsight.detector import CLASS_MAP, EMBEDDING, OUTPUTS
from trialsight_training.backbones import Backbone

# The map's pixels are this many input pixels wide.
MAP_STRIDE = 4
# Gaussian in input pixels: between 4 and 8 neither image AUROC nor AUPRO of the reference sets moves by 0.005.
SIGMA_PX = 6.0
# Layers of at least this stride are joined where a detector looks at all of a place at once.
JOINT_STRIDE = 8


class Layers(NamedTuple):
    """What a backbone sees of N pictures: `maps`, (N, C, h, w) of each layer. `joint`: the numbers of those that
    `joined` joins."""

    maps: tuple[Tensor, ...]
    joint: tuple[int, ...]

    def of(self, picture: int) -> "Layers":
        """Of one of the pictures alone."""
        return Layers(tuple(one[picture : picture + 1] for one in self.maps), self.joint)


def layer_maps(backbone: Backbone, frame: Tensor) -> Layers:
    """(N, H, W, 3) uint8 RGB to its layers, each on its own grid and averaged over 3x3 neighbours. Of a finer one than
    are joined every so many-th row and column is looked at, so that it has no more cells than the others."""
    maps = backbone(frame.permute(0, 3, 1, 2).float() * (1 / 255))
    joint, cell = joint_layers(backbone), joint_stride(backbone)
    steps = (1 if place in joint else cell // stride for place, stride in enumerate(backbone.strides))
    pooled = (F.avg_pool2d(one, 3, stride=step, padding=1) for one, step in zip(maps, steps, strict=True))
    return Layers(tuple(pooled), joint)


def joint_layers(backbone: Backbone) -> tuple[int, ...]:
    """The numbers of the layers from JOINT_STRIDE on, or of all where all are finer."""
    coarse = (place for place, stride in enumerate(backbone.strides) if stride >= JOINT_STRIDE)
    return tuple(coarse) or tuple(range(len(backbone.strides)))


def joint_stride(backbone: Backbone) -> int:
    """Input pixels a cell of what `joined` gives."""
    return backbone.strides[joint_layers(backbone)[0]]


def joined(layers: Layers) -> Tensor:
    """(N, C, h, w): the joint layers, brought to the grid of the first and concatenated. Finer ones show edges and
    grain, and would make four times as many cells of the others."""
    first, *others = (layers.maps[place] for place in layers.joint)
    grid = first.shape[-2:]
    large = [F.interpolate(one, size=grid, mode="bilinear", align_corners=False) for one in others]
    return torch.cat([first, *large], dim=1)


def patch_features(backbone: Backbone, frame: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 RGB to (N, C, h, w): its layers, joined."""
    return joined(layer_maps(backbone, frame))


def embed(layers: Layers) -> Tensor:
    """(N, C): the joint layers' means over the picture, at unit length."""
    means = [layers.maps[place].mean(dim=(2, 3)) for place in layers.joint]
    return F.normalize(torch.cat(means, dim=1), dim=1)


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

    def forward(self, *distances: Tensor, grid: torch.Size | None = None) -> Tensor:
        """(N, 1, h, w), added up, to (N, 1, h * scale, w * scale). `grid` (h, w): the first's, if left out."""
        h, w = grid or distances[0].shape[-2:]
        size = (h * self.scale, w * self.scale)
        large = [
            one if one.shape[-2:] == size else F.interpolate(one, size=size, mode="bilinear", align_corners=False)
            for one in distances
        ]
        r = self.radius
        x = F.pad(sum(large[1:], large[0]), (r, r, r, r), mode="replicate")
        return F.conv2d(F.conv2d(x, self.kernel.view(1, 1, -1, 1)), self.kernel.view(1, 1, 1, -1))


class Mapper(nn.Module):
    """What differs between detectors: the layers' maps and, for some, the frame itself, to the defect map."""

    def forward(self, layers: Layers, frame: Tensor) -> Tensor:
        """The layers and uint8 (N, H, W, 3) RGB to (N, h', w')."""
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
        layers = layer_maps(self.backbone, frame)
        defect_map = self.mapper(layers, frame)
        found = (defect_map, defect_map.amax(dim=(1, 2)), embed(layers))
        return found if self.namer is None else (*found, self.namer(joined(layers)))
