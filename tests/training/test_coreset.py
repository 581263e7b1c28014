"""The lazy selection against the textbook's, index by index."""

import pytest
import torch
from torch import Tensor

from trialsight_training.detectors.patch_memory.coreset import CANDIDATES, greedy_coreset, project


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


@pytest.mark.parametrize("n", [300, 4 * CANDIDATES])
@pytest.mark.parametrize("seed", range(3))
def test_same_indices_as_the_textbook(n: int, seed: int) -> None:
    cloud = points(n, seed)
    chosen = greedy_coreset(cloud, 60, seed).tolist()
    assert chosen == textbook(cloud, 60, chosen[0])


def test_same_indices_where_one_corner_is_far_denser_than_the_rest() -> None:
    cloud = torch.cat([points(3 * CANDIDATES) / 50, points(200, seed=1)])
    chosen = greedy_coreset(cloud, 250, 0).tolist()
    assert chosen == textbook(cloud, 250, chosen[0])


def test_a_bank_never_holds_a_point_twice_nor_more_than_there_are() -> None:
    cloud = points(20).repeat(2, 1)  # every point has an equal
    assert sorted(greedy_coreset(cloud, 100, 0).tolist()) == list(range(40))


def test_projection_follows_the_seed_and_leaves_few_numbers_alone() -> None:
    wide = torch.randn(10, 200, generator=torch.Generator().manual_seed(0))
    assert project(wide, 1).shape == (10, 64)
    assert torch.equal(project(wide, 1), project(wide, 1)) and not torch.equal(project(wide, 1), project(wide, 2))
    assert torch.equal(project(points(10), 1), points(10))
