"""The backbone in the wheel: it is the one on its card, small, exportable, and knows more than random weights do."""

import json
import shutil
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from trialsight.errors import TrialsightError
from trialsight_datasets.simulate import Simulator
from trialsight_training.backbones import Backbone, create_backbone
from trialsight_training.backbones.shipped import WEIGHTS, card_of, load, read_card


@pytest.fixture(scope="module")
def shipped() -> Backbone:
    return load()


def frames(*indices: int, kind: str | None = None) -> Tensor:
    """(N, 3, 256, 256) float32 of simulated parts that the student was not trained on."""
    simulator = Simulator(seed=977, size_px=256)
    jpegs = [(simulator.defective(i, kind) if kind else simulator.good(i)).jpeg for i in indices]
    pictures = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB) for jpeg in jpegs]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def test_it_is_small(shipped: Backbone) -> None:
    card = read_card()
    assert WEIGHTS.stat().st_size == card.bytes <= 2_000_000
    assert sum(p.numel() for p in shipped.parameters()) == card.parameters <= 1_000_000


def test_it_has_the_common_interface(shipped: Backbone) -> None:
    assert (shipped.name, shipped.layers) == ("shipped", ("stride8", "stride16"))
    assert (shipped.channels, shipped.strides) == ((128, 256), (8, 16))
    assert [m.shape for m in shipped(torch.rand(2, 3, 96, 160))] == [(2, 128, 12, 20), (2, 256, 6, 10)]
    assert create_backbone("shipped", "shipped", ()).channels == shipped.channels


def test_it_needs_no_more_than_float32_and_is_frozen(shipped: Backbone) -> None:
    assert {p.dtype for p in shipped.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in shipped.parameters()) and not shipped.training


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_exports_with_a_dynamic_batch(shipped: Backbone) -> None:
    graph = BytesIO()
    torch.onnx.export(
        shipped, (frames(0),), graph, dynamo=False, input_names=["frame"],
        dynamic_axes={"frame": {0: "batch", 2: "height", 3: "width"}},
    )  # fmt: skip
    session = onnxruntime.InferenceSession(graph.getvalue(), providers=["CPUExecutionProvider"])
    batch = torch.cat([frames(1, 2), frames(3)])[:, :, :192]
    for ours, exported in zip(shipped(batch), session.run(None, {"frame": batch.numpy()}), strict=True):
        np.testing.assert_allclose(exported, ours.numpy(), rtol=1e-3, atol=1e-4)


def test_chips_stand_out_more_than_with_random_weights(shipped: Backbone) -> None:
    """How far the worst patch of a chipped part lies from anything on good ones, over the same for a good part."""
    good, unseen = frames(*range(6)), frames(*range(20, 26))
    chipped = frames(*range(30, 36), kind="chip")

    def contrast(backbone: Backbone) -> float:
        bank = _patches(backbone, good).flatten(0, 1)
        worst = [torch.cdist(_patches(backbone, some), bank).amin(2).amax(1).mean() for some in (chipped, unseen)]
        return float(worst[0] / worst[1])

    random = create_backbone("resnet18", "random", ("layer2", "layer3"))
    assert contrast(shipped) > 1.1 * contrast(random)


def _patches(backbone: Backbone, some: Tensor) -> Tensor:
    fine = backbone(some)[0]
    return torch.nn.functional.avg_pool2d(fine, 3, 1, 1).flatten(2).transpose(1, 2)


def test_the_card_says_how_it_was_made_and_names_no_machine() -> None:
    made = read_card().made
    assert made.teacher == "resnet18" and made.teacher_layers == ("layer2", "layer3")
    assert made.minutes > 0 and made.images > 0 and made.git_commit
    assert "/" not in made.data
    assert 0 < made.unexplained8 < 0.7 and 0 < made.unexplained16 < 0.7


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    copy = tmp_path / WEIGHTS.name
    shutil.copy(card_of(WEIGHTS), card_of(copy))
    altered = bytearray(WEIGHTS.read_bytes())
    altered[-1] ^= 1
    copy.write_bytes(altered)
    with pytest.raises(TrialsightError, match=r"shipped\.safetensors is missing or not what its card says.*reinstall"):
        load(copy)


@pytest.mark.parametrize("text", ["{", "{}", None], ids=["cut off", "empty", "missing"])
def test_a_card_that_cannot_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    copy = tmp_path / WEIGHTS.name
    shutil.copy(WEIGHTS, copy)
    if text is not None:
        card_of(copy).write_text(text)
    with pytest.raises(TrialsightError, match=r"shipped\.card\.json can't be read"):
        load(copy)


def test_the_card_is_plain_json() -> None:
    assert json.loads(card_of(WEIGHTS).read_text())["sha256"] == read_card().sha256
