"""What joins the detectors: good parts' scale, and a head that is heard where it is sure."""

import torch
from torch import Tensor

from trialsight_training.detectors.auto import Fusion
from trialsight_training.detectors.graph import Layers, Mapper

LAYERS = Layers((torch.zeros(2, 1, 4, 4),), (0,))
FRAME = torch.zeros(2, 32, 32, 3, dtype=torch.uint8)


class Says(Mapper):
    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level

    def forward(self, _layers: Layers, frame: Tensor) -> Tensor:
        return torch.full((len(frame), 8, 8), self.level)


def score(head: Mapper | None, weight: float = 0.1, bases: tuple[float, ...] = (3.0,)) -> float:
    levels = torch.tensor([2.0 * level for level in bases])
    fusion = Fusion([Says(level) for level in bases], levels, head, weight)
    return float(fusion(LAYERS, FRAME).amax())


def test_bases_count_alike_whatever_their_scale_and_a_silent_head_changes_nothing() -> None:
    assert score(None) == score(None, bases=(3.0, 700.0)) == score(Says(0.0), bases=(3.0, 700.0)) == 0.5


def test_twice_the_evidence_adds_four_times_as_much() -> None:
    plain = score(None)
    once, twice = score(Says(1.0)) - plain, score(Says(2.0)) - plain
    torch.testing.assert_close(torch.tensor([once, twice]), torch.tensor([0.1, 0.4]))


def test_held_out_maps_are_joined_as_the_model_joins_its_own() -> None:
    fusion = Fusion([Says(3.0), Says(8.0)], torch.tensor([2.0, 4.0]), Says(1.5), 0.2)
    maps = [torch.full((2, 8, 8), level) for level in (3.0, 8.0, 1.5)]
    assert torch.equal(fusion(LAYERS, FRAME), fusion.join(maps[:2], maps[2]))
