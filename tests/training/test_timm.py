"""timm's networks by the one interface; skipped where timm isn't installed."""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from trialsight.errors import TrialsightError
from trialsight_training.backbones import create_backbone
from trialsight_training.detectors.graph import Detector
from trialsight_training.detectors.patch_memory import PatchMemory
from trialsight_training.export import check_parity, export_onnx

timm = pytest.mark.skipif(find_spec("timm") is None, reason="timm is not installed: pip install 'trialsight[timm]'")

ZOO = [
    ("timm/test_resnet", (), ("layer1", "layer2", "layer3"), (32, 48, 192), (4, 8, 16)),
    ("timm/test_convnext", ("stages.0",), ("stages.0",), (24,), (4,)),
    ("timm/test_vit", (), ("blocks.2", "blocks.3"), (64, 64), (16, 16)),
    # Patches of 14 pixels: brought to 16, as frames are multiples of 32.
    ("timm/vit_small_patch14_dinov2", ("blocks.0",), ("blocks.0",), (384,), (16,)),
]


@timm
@pytest.mark.parametrize(("name", "layers", "taken", "channels", "strides"), ZOO)
def test_maps_have_the_channels_and_strides_that_are_told(
    name: str, layers: tuple[str, ...], taken: tuple[str, ...], channels: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    backbone = create_backbone(name, "random", layers)
    assert (backbone.layers, backbone.channels, backbone.strides) == (taken, channels, strides)
    maps = backbone(torch.rand(2, 3, 64, 96))
    assert [tuple(one.shape) for one in maps] == [
        (2, c, 64 // s, 96 // s) for c, s in zip(channels, strides, strict=True)
    ]


@timm
def test_a_vision_transformer_takes_weights_from_a_file_and_exports_faithfully(
    tmp_path: Path, remembering: Callable[..., PatchMemory]
) -> None:
    import timm as library

    trained = library.create_model("test_vit", num_classes=3)  # with a head, and blocks behind the ones that are used
    weights = tmp_path / "vit.safetensors"
    save_file({key: tensor.contiguous() for key, tensor in trained.state_dict().items()}, weights)
    backbone = create_backbone("timm/test_vit", str(weights), ("blocks.1", "blocks.3"))
    state = backbone.body.state_dict()
    assert torch.equal(state["model.blocks.3.mlp.fc1.weight"], trained.state_dict()["blocks.3.mlp.fc1.weight"])
    assert not any(".blocks.4." in key for key in state)

    memory = remembering(backbone, [torch.randn(50, width) for width in backbone.channels])
    model = Detector(backbone, memory).eval()
    frames = np.random.default_rng(0).integers(0, 255, (3, 64, 96, 3)).astype(np.uint8)
    assert model(torch.from_numpy(frames))[0].shape == (3, 16, 24)
    export_onnx(model, (96, 64), tmp_path / "model.onnx")
    assert check_parity(model, tmp_path / "model.onnx", frames) < 1e-4


@timm
@pytest.mark.parametrize(
    ("name", "layers", "message"),
    [
        ("timm/test_vlt", (), "knows no model 'test_vlt'"),
        ("timm/test_vit", ("layer2",), r"no layers layer2.*blocks\.0"),
        ("timm/test_maxvit", (), "doesn't take frames of any size"),
    ],
)
def test_what_cannot_be_had_is_told(name: str, layers: tuple[str, ...], message: str) -> None:
    with pytest.raises(TrialsightError, match=message):
        create_backbone(name, "random", layers)


def test_without_timm_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(TrialsightError, match=r"needs timm.*trialsight\[timm\]"):
        create_backbone("timm/test_vit", "random", ())
