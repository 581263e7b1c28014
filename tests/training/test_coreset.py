"""The lazy selection against the textbook's, index by index."""

import pytest
import torch
from torch import Tensor

from trialsight_training.detectors.patch_memory.coreset import CANDIDATES, cover_without, greedy_cover


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
    chosen = greedy_cover(cloud, 60, seed).chosen.tolist()
    assert chosen == textbook(cloud, 60, chosen[0])


def test_same_indices_where_one_corner_is_far_denser_than_the_rest() -> None:
    cloud = torch.cat([points(3 * CANDIDATES) / 50, points(200, seed=1)])
    chosen = greedy_cover(cloud, 250, 0).chosen.tolist()
    assert chosen == textbook(cloud, 250, chosen[0])


def test_a_bank_never_holds_a_point_twice_nor_more_than_there_are() -> None:
    cloud = points(20).repeat(2, 1)  # every point has an equal
    assert sorted(greedy_cover(cloud, 100, 0).chosen.tolist()) == list(range(40))


@pytest.mark.parametrize("n", [300, 4 * CANDIDATES])
def test_a_bank_without_a_group_is_of_others_alone_and_covers_them_as_closely_as_the_whole_one(n: int) -> None:
    cloud = points(n)
    groups = torch.arange(n) % 3
    cloud[groups == 1] += 5  # a group that lies somewhat apart: without it, others' own outliers are left uncovered
    cover = greedy_cover(cloud, 60, 0, groups)
    for group in range(3):
        chosen = cover_without(cloud, cover, groups, group)
        kept = cover.chosen[groups[cover.chosen] != group]
        assert torch.equal(chosen[: len(kept)], kept)
        assert (groups[chosen] != group).all() and len(chosen.unique()) == len(chosen)
        others = cloud[groups != group].double()
        nearest = torch.cdist(others, cloud[chosen].double()).amin(1).square()
        assert float(nearest.max()) <= cover.radius * (1 + 1e-4)
    assert len(cover_without(cloud, cover, groups, 0)) > int((groups[cover.chosen] != 0).sum()), "gaps are filled"


def test_a_group_that_holds_all_leaves_nothing() -> None:
    cloud = points(30)
    assert not len(cover_without(cloud, greedy_cover(cloud, 10, 0), torch.zeros(30, dtype=torch.long), 0))
