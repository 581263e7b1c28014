"""The fast selection against the textbook's, index by index."""

import pytest
import torch
from torch import Tensor

from trialsight_training.detectors.patch_memory.coreset import greedy_coresets


def textbook(points: Tensor, size: int, first: int) -> list[int]:
    """Greedy k-centre as written in Sener and Savarese 2018, in float64 and one difference at a time."""
    points = points.double()
    chosen = [first]
    while len(chosen) < size:
        nearest = torch.stack([(points - points[one]).norm(dim=1) for one in chosen]).amin(0)
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    return chosen


def points(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, 24, generator=torch.Generator().manual_seed(seed)) * 3 + 10


@pytest.mark.parametrize("seed", range(3))
def test_same_indices_as_the_textbook(seed: int) -> None:
    cloud = points(300, seed)
    everything = torch.ones(1, len(cloud), dtype=torch.bool)
    (chosen,) = greedy_coresets(cloud, [60], everything, seed, projected=None)
    assert chosen.tolist() == textbook(cloud, 60, int(chosen[0]))


def test_each_bank_of_many_is_the_textbook_one_of_its_points() -> None:
    cloud = points(200)
    allowed = torch.ones(3, len(cloud), dtype=torch.bool)
    allowed[1, :100] = False
    allowed[2, 50:] = False
    banks = greedy_coresets(cloud, [40, 30, 20], allowed, 1, projected=None)
    assert [len(bank) for bank in banks] == [40, 30, 20]
    for bank, mask in zip(banks, allowed, strict=True):
        own = mask.nonzero()[:, 0]
        first = int((own == bank[0]).nonzero()[0, 0])
        assert bank.tolist() == [int(own[i]) for i in textbook(cloud[own], len(bank), first)]


def test_a_bank_never_holds_a_point_twice_nor_more_than_there_are() -> None:
    cloud = points(20).repeat(2, 1)  # every point has an equal
    (bank,) = greedy_coresets(cloud, [100], torch.ones(1, 40, dtype=torch.bool), 0)
    assert sorted(bank.tolist()) == list(range(40))


def test_a_step_is_told_for_each_centre_after_the_first() -> None:
    steps: list[int] = []
    greedy_coresets(points(50), [10], torch.ones(1, 50, dtype=torch.bool), 0, step=lambda: steps.append(1))
    assert len(steps) == 9
