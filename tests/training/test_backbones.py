"""One interface for all trunks, and weights that fit or say why not."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from trialsight.errors import TrialsightError
from trialsight_training.backbones import create_backbone
from trialsight_training.backbones.backbone import IMAGENET_MEAN, IMAGENET_STD
from trialsight_training.torchvision_schemas import torchvision

ZOO = [
    ("resnet18", ("layer2", "layer3"), (128, 256), (8, 16)),
    ("resnet34", ("layer1",), (64,), (4,)),
    ("mobilenet_v2", (), (24, 32, 96), (4, 8, 16)),
    ("mobilenet_v3_large", (), (24, 40, 112), (4, 8, 16)),
    ("resnet18", (), (64, 128, 256), (4, 8, 16)),
]
STATE = torchvision.models.get_model("resnet18", weights=None).state_dict()
# Batch norms that do something, as trained ones do.
STATE |= {
    name: torch.rand(tensor.shape, generator=torch.Generator().manual_seed(1)) + 0.5
    for name, tensor in STATE.items()
    if name.endswith(("running_mean", "running_var"))
}
FRAME = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "layers", "channels", "strides"), ZOO)
def test_maps_have_the_channels_and_strides_that_are_told(
    name: str, layers: tuple[str, ...], channels: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    backbone = create_backbone(name, "random", layers)
    assert (backbone.name, backbone.channels, backbone.strides) == (name, channels, strides)
    maps = backbone(torch.rand(2, 3, 64, 96))
    assert [tuple(one.shape) for one in maps] == [
        (2, c, 64 // s, 96 // s) for c, s in zip(channels, strides, strict=True)
    ]
    assert len(backbone.layers) == len(channels)


def test_what_lies_behind_the_last_layer_is_dropped() -> None:
    keys = create_backbone("resnet18", "random", ("layer2",)).state_dict()
    assert any("layer2" in key for key in keys)
    assert not any("layer3" in key or "fc" in key for key in keys)


def test_random_weights_follow_the_seed() -> None:
    frame = torch.rand(1, 3, 64, 64)
    first, again, other = (create_backbone("resnet18", "random", ("layer1",), seed)(frame)[0] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


@pytest.mark.parametrize("prefix", ["", "module.", "backbone."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_load_with_or_without_head_and_prefix(tmp_path: Path, prefix: str, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    kept = {f"{prefix}{k}": v for k, v in STATE.items() if prefix == "" or not k.startswith(("fc", "layer4"))}
    if suffix == ".pth":
        torch.save({"state_dict": kept} if prefix else kept, path)
    else:
        save_file(kept, path)
    maps = create_backbone("resnet18", str(path), ("layer2", "layer3"))(FRAME)
    for ours, theirs in zip(maps, as_torchvision(FRAME), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def as_torchvision(frame: torch.Tensor) -> list[torch.Tensor]:
    """Layers 2 and 3 of the network that STATE is of, its batch norms of their own."""
    model = torchvision.models.get_model("resnet18", weights=None).eval()
    model.load_state_dict(STATE)
    x = (frame - torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)) / torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    maps = []
    with torch.no_grad():
        for name, part in model.named_children():
            x = part(x)
            maps += [x] if name in ("layer2", "layer3") else []
            if name == "layer3":
                return maps
    raise AssertionError("a ResNet has a layer 3")


def broken_weights(path: Path, fault: str) -> None:
    if fault == "not there":
        return
    if fault == "corrupt":
        path.write_bytes(b"\x80\x02 not weights at all")
    elif fault == "cut short":
        torch.save(STATE, path)
        path.write_bytes(path.read_bytes()[:100_000])
    elif fault == "keys missing":
        torch.save({k: v for k, v in STATE.items() if not k.startswith("layer3.0")}, path)
    elif fault == "other shape":
        torch.save(STATE | {"conv1.weight": torch.zeros(64, 1, 7, 7)}, path)
    else:
        torch.save([1, 2, 3], path)


@pytest.mark.parametrize(
    ("file", "fault", "message"),
    [
        ("weights.pth", "not there", "do not exist"),
        ("weights.pth", "corrupt", "can't be read"),
        ("weights.safetensors", "corrupt", "can't be read"),
        ("weights.pth", "cut short", "can't be read"),
        ("weights.pth", "keys missing", r"layer3\.0\.conv1\.weight"),
        ("weights.pth", "other shape", r"conv1\.weight has shape \(64, 1, 7, 7\).*\(64, 3, 7, 7\)"),
        ("weights.pth", "no tensors", "hold no tensors"),
    ],
)
def test_weights_that_do_not_fit_say_so(tmp_path: Path, file: str, fault: str, message: str) -> None:
    path = tmp_path / file
    broken_weights(path, fault)
    with pytest.raises(TrialsightError, match=message):
        create_backbone("resnet18", str(path), ("layer2", "layer3"))


def test_weights_run_no_code(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"conv1.weight": Path("anything")}, path)  # an object that only unpickling code could make
    with pytest.raises(TrialsightError, match="can't be read"):
        create_backbone("resnet18", str(path), ("layer1",))


@pytest.mark.parametrize(
    ("name", "weights", "layers", "message"),
    [
        ("resnet19", "random", ("layer1",), "resnet19"),
        ("resnet18", "random", ("layer7",), "no layers layer7.*layer3"),
        ("vgg11", "random", (), "no usual layers"),
        ("shipped", "random", (), "its own weights"),
        ("shipped", "shipped", ("layer2",), "its own weights and layers"),
    ],
)
def test_unknown_names_are_told_with_the_known_ones(
    name: str, weights: str, layers: tuple[str, ...], message: str
) -> None:
    with pytest.raises(TrialsightError, match=message):
        create_backbone(name, weights, layers)
