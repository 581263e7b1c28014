"""timm's networks by name, `timm/NAME`: convolutional ones and vision transformers (DINOv2, DINOv3 and others), whose
patch tokens are a map. Needs the extra `trialsight[timm]`.
"""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trialsight.errors import TrialsightError
from trialsight_training import torchvision_schemas  # noqa: F401 - timm imports torchvision, which needs them first
from trialsight_training.backbones.backbone import Backbone
from trialsight_training.backbones.weights import load_weights

PREFIX = "timm/"
# What a transformer's patches are brought to: frames are multiples of 16 pixels, and DINOv2's patches are 14 wide.
PATCH_PX = 16


class Intermediates(nn.Module):
    """A timm network's maps after the stages `indices`; `scale` resizes the frame before it."""

    def __init__(self, model: nn.Module, indices: tuple[int, ...], scale: float) -> None:
        super().__init__()
        self.model = model
        self.indices = list(indices)
        self.scale = scale

    def forward(self, frame: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) to one (N, C, h, w) a stage."""
        if self.scale != 1:
            size = [round(side * self.scale) for side in frame.shape[-2:]]
            frame = F.interpolate(frame, size=size, mode="bilinear", align_corners=False)
        look: Any = self.model.forward_intermediates
        return tuple(look(frame, indices=self.indices, intermediates_only=True, output_fmt="NCHW"))


def create_timm(name: str, weights: str, layers: tuple[str, ...], seed: int) -> Backbone:
    """`name` begins with PREFIX. `layers` are timm's feature stages, such as `layer2` or `blocks.5`; empty: those at
    strides 4, 8 and 16, of a transformer the blocks half and three quarters through. `weights` as `create_backbone` has
    them; `hub` is timm's, from the internet."""
    model = _build(name, weights, seed)
    stages = {info["module"]: int(info["reduction"]) for info in model.feature_info}
    chosen = layers or _usual(stages)
    if missing := [layer for layer in chosen if layer not in stages]:
        raise TrialsightError(f"backbone {name} has no layers {', '.join(missing)}", f"it has {', '.join(stages)}")
    indices = tuple(list(stages).index(layer) for layer in chosen)
    prune: Any = model.prune_intermediate_layers
    prune(list(indices), prune_norm=False, prune_head=True)
    if weights not in ("random", "hub"):
        load_weights(model, Path(weights).expanduser())
    patched = len(set(stages.values())) == 1
    scale = next(iter(stages.values())) / PATCH_PX if patched else 1.0
    config: Any = model.pretrained_cfg
    try:
        return Backbone(name, chosen, Intermediates(model, indices, scale), config["mean"], config["std"])
    except (AssertionError, RuntimeError, ValueError) as error:
        raise TrialsightError(
            f"backbone {name} doesn't take frames of any size: {error}", "take another of timm's models"
        ) from error


def _build(name: str, weights: str, seed: int) -> Any:
    try:
        import timm
    except ImportError as error:
        raise TrialsightError(
            f"backbone {name} needs timm, which isn't installed", "pip install 'trialsight[timm]'"
        ) from error
    model_name = name.removeprefix(PREFIX)
    if not timm.is_model(model_name):
        near = timm.list_models(f"*{model_name.split('.')[0][:12]}*")[:5]
        raise TrialsightError(
            f"timm {timm.__version__} knows no model {model_name!r}",
            f"it has {', '.join(near)}" if near else "`timm.list_models()` lists them",
        )
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = _of_any_size(model_name, weights == "hub")
    except (OSError, RuntimeError) as error:
        raise TrialsightError(
            f"timm's weights of {model_name} can't be downloaded: {error}", "give --weights PATH to a state dict"
        ) from error
    if not hasattr(model, "forward_intermediates") or not hasattr(model, "prune_intermediate_layers"):
        raise TrialsightError(f"{model_name} gives no maps of its stages", "take another of timm's models")
    return model.eval()


def _of_any_size(name: str, pretrained: bool) -> Any:
    """Transformers know the positions of one frame size, unless told to follow the frame's."""
    import timm

    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=0, dynamic_img_size=True)
    except TypeError:  # networks without positions take no such word
        return timm.create_model(name, pretrained=pretrained, num_classes=0)


def _usual(stages: dict[str, int]) -> tuple[str, ...]:
    names = list(stages)
    if len(set(stages.values())) == 1:
        return names[len(names) // 2 - 1], names[3 * len(names) // 4 - 1]
    return tuple(name for name, reduction in stages.items() if reduction in (4, 8, 16)) or (names[-1],)
