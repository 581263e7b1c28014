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
# Layers of at least this stride are joined where a detector looks at all of a place at once.
JOINT_STRIDE = 8


def layer_maps(backbone: Backbone, frame: Tensor) -> tuple[Tensor, ...]:
    """(N, H, W, 3) uint8 RGB to (N, C, h, w) a layer, each on its own grid and averaged over 3x3 neighbours."""
    maps = backbone(frame.permute(0, 3, 1, 2).float() / 255)
    return tuple(F.avg_pool2d(one, 3, stride=1, padding=1) for one in maps)


def joint_stride(backbone: Backbone) -> int:
    """Input pixels a cell of what `joined` gives."""
    return next((one for one in backbone.strides if one >= JOINT_STRIDE), backbone.strides[0])


def steps(backbone: Backbone) -> tuple[int, ...]:
    """Of each layer: a memory looks at every so many-th row and column, so that a finer layer has no more cells than
    the others."""
    return tuple(max(1, joint_stride(backbone) // stride) for stride in backbone.strides)


def joined(layers: tuple[Tensor, ...], height_px: int) -> Tensor:
    """Layers of a frame so high to (N, C, h, w): those from JOINT_STRIDE on, brought to the finest's grid and
    concatenated. Finer ones show edges and grain, and would make four times as many cells of the others."""
    coarse = _coarse(layers, height_px)
    grid = coarse[0].shape[-2:]
    others = [F.interpolate(one, size=grid, mode="bilinear", align_corners=False) for one in coarse[1:]]
    return torch.cat([coarse[0], *others], dim=1)


def patch_features(backbone: Backbone, frame: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 RGB to (N, C, h, w): its layers, joined."""
    return joined(layer_maps(backbone, frame), frame.shape[1])


def embed(layers: tuple[Tensor, ...], height_px: int) -> Tensor:
    """Layers of a frame so high to (N, C): the means over the picture of those that `joined` joins, at unit length."""
    means = [one.mean(dim=(2, 3)) for one in _coarse(layers, height_px)]
    return F.normalize(torch.cat(means, dim=1), dim=1)


def _coarse(layers: tuple[Tensor, ...], height_px: int) -> tuple[Tensor, ...]:
    return tuple(one for one in layers if height_px // one.shape[2] >= JOINT_STRIDE) or layers


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

    def forward(self, layers: tuple[Tensor, ...], frame: Tensor) -> Tensor:
        """(N, C, h, w) of each layer and uint8 (N, H, W, 3) RGB to (N, h', w')."""
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
        found = (defect_map, defect_map.amax(dim=(1, 2)), embed(layers, frame.shape[1]))
        return found if self.namer is None else (*found, self.namer(joined(layers, frame.shape[1])))
