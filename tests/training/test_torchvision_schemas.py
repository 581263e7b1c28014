"""torchvision must import beside any torch, which only a fresh interpreter can show."""

import subprocess
import sys

IMPORT = """
from trialsight_training.torchvision_schemas import torchvision
from torchvision.transforms import v2
import torch
assert torch.ops.torchvision.nms and torch.ops.torchvision.qnms
model = torchvision.models.get_model("resnet18", weights=None)
print(v2.Resize(8)(torch.zeros(3, 16, 16)).shape, len(model(torch.zeros(1, 3, 64, 64)).shape))
"""


def test_torchvision_works_in_a_fresh_interpreter() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["torch.Size([3,", "8,", "8])", "2"]
