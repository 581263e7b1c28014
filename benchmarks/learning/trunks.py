"""The backbones alone: the shipped one's time over the ResNet-18 trunk's, in ONNX Runtime, one thread."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from benchmarks.measure.timing import Ratio, ratio, take_turns, timed
from trialsight.detector import OUTPUTS, Detector
from trialsight_training.backbones import create_backbone
from trialsight_training.export import export_onnx

SIDE_PX = 256
CALLS = 4


class _Alone(nn.Module):
    """A backbone with a package's signature, so that the very same export and session run it."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.outputs = list(OUTPUTS)

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        near, far = self.backbone(frame.permute(0, 3, 1, 2).float() / 255)
        return near.mean(1), far.mean((1, 2, 3))


def time_trunks(trunk: Path, rounds: int) -> Ratio:
    """Of processor time: a trunk is so short that, on a busy machine, the clock tells mostly who waited."""
    backbones = {
        "shipped": create_backbone("shipped", "shipped", ()),
        "trunk": create_backbone("resnet18", str(trunk), ("layer2", "layer3")),
    }
    with tempfile.TemporaryDirectory() as scratch:
        turns = {name: timed(_calls(backbone, Path(scratch) / f"{name}.onnx")) for name, backbone in backbones.items()}
        spent = take_turns(turns, rounds)
    return ratio(*([one.cpu_s for one in spent[name]] for name in ("shipped", "trunk")))


def _calls(backbone: nn.Module, graph: Path) -> Callable[[], None]:
    export_onnx(_Alone(backbone).eval(), (SIDE_PX, SIDE_PX), graph)
    detector = Detector(graph)
    frame = np.random.default_rng(0).integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8)

    def run() -> None:
        for _ in range(CALLS):
            detector.run(frame)

    return run
