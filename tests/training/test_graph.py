"""What detectors look at of a backbone's layers."""

import pytest
import torch
import torch.nn.functional as F

from trialsight_training.backbones import create_backbone
from trialsight_training.detectors.graph import joined, joint_stride, layer_maps


@pytest.mark.parametrize("size", [(64, 96), (80, 112)])
def test_a_finer_layer_is_looked_at_where_the_joint_ones_cells_lie(size: tuple[int, int]) -> None:
    backbone = create_backbone("resnet18", "random", ())
    frames = torch.randint(0, 256, (2, *size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        layers = layer_maps(backbone, frames)
        whole = [F.avg_pool2d(one, 3, 1, 1) for one in backbone(frames.permute(0, 3, 1, 2) / 255)]
    assert [tuple(one.shape[2:]) for one in layers.maps] == [(size[0] // side, size[1] // side) for side in (8, 8, 16)]
    for ours, plain in zip(layers.maps, (whole[0][..., ::2, ::2], *whole[1:]), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)
    assert joint_stride(backbone) == 8
    assert torch.equal(joined(layers)[:, :128], layers.maps[1]) and joined(layers).shape[1] == 128 + 256
    assert torch.equal(layers.of(1).maps[2], layers.maps[2][1:])


def test_where_all_layers_are_fine_all_are_joined() -> None:
    backbone = create_backbone("resnet18", "random", ("layer1",))
    with torch.no_grad():
        layers = layer_maps(backbone, torch.zeros(1, 32, 48, 3, dtype=torch.uint8))
    assert joint_stride(backbone) == 4 and joined(layers).shape == (1, 64, 8, 12)
