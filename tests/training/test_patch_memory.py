"""The detector's numbers: distances against the plain formula, maps that stay in place, banks that follow the seed."""

import pytest
import torch
from torch import Tensor

from trialsight_training.backbones import create_backbone
from trialsight_training.detectors.detector import Patches
from trialsight_training.detectors.graph import Detector, Smoothing
from trialsight_training.detectors.patch_memory import Memory, PatchMemory, fit_banks
from trialsight_training.detectors.patch_memory.fit import weigh
from trialsight_training.detectors.patch_memory.model import (
    AXES,
    FEWEST,
    GROUPS,
    SMALLEST,
    Plan,
    Space,
    scales,
    space_of,
)


def patches(parts: int = 6, width: int = 12, seed: int = 0) -> Tensor:
    return torch.randn(parts, 64, width, generator=torch.Generator().manual_seed(seed))


def cells(points: Tensor) -> Tensor:
    """(n, C) as a layer of one row: (1, C, 1, n)."""
    return points.T[None, :, None]


def plain(points: Tensor, bank: Tensor) -> Tensor:
    """The formula in float64, one difference at a time: each in units of its own patch's scale, the least of every
    group, and their power mean."""
    apart = (points.double()[:, None] - bank.double()).square().sum(2) / scales(bank).double().square()
    groups = max(1, min(GROUPS, len(bank) // FEWEST))
    nearest = torch.stack([(apart[:, first::groups].amin(1) + SMALLEST).sqrt() for first in range(groups)])
    return nearest.pow(-8).mean(0).pow(-1 / 8)


@pytest.mark.parametrize("offset", [0.0, 1000.0], ids=["centred", "far from the origin"])
@pytest.mark.parametrize("size", [1, 2, 50, 333])
def test_distance_is_the_euclidean_one_in_units_of_the_nearests_scale(size: int, offset: float) -> None:
    generator = torch.Generator().manual_seed(size)
    bank, queries = (torch.randn(n, 16, generator=generator) + offset for n in (size, 30))
    space = space_of(torch.randn(400, 16, generator=generator) + offset)
    found = Memory(space(bank), space)(cells(queries))
    assert found.shape == (1, 1, 1, 30)
    torch.testing.assert_close(found[0, 0, 0].double(), plain(space(queries), space(bank)), rtol=1e-3, atol=1e-3)


def test_what_one_group_alone_remembers_is_still_near_and_what_all_do_nearer() -> None:
    common = torch.randn(400, 16, generator=torch.Generator().manual_seed(0))
    rare = torch.full((1, 16), 9.0)
    space = space_of(torch.cat([common, rare]))
    memory = Memory(space(torch.cat([common, rare])), space)
    known, once, never = memory(cells(torch.cat([common[:100].mean(0, keepdim=True), rare, -rare])))[0, 0, 0].tolist()
    assert memory.groups == GROUPS
    assert once < 0.1 * never
    assert once < known < never


def test_a_remembered_patch_is_at_next_to_no_distance_and_never_not_a_number() -> None:
    points = torch.randn(50, 16)
    space = space_of(points)
    distances = Memory(space(points), space)(cells(points))
    assert torch.isfinite(distances).all()
    assert float(distances.max()) < 0.02


def test_lonely_patches_are_of_larger_scale_and_equal_ones_of_a_bounded_one() -> None:
    dense, lonely = torch.randn(40, 8) / 10, 5 + torch.randn(10, 8)
    found = scales(torch.cat([dense, lonely, dense]))
    assert float(found[40:50].min()) > float(found[:40].max())
    assert float(found.min()) > 0.3
    assert torch.equal(scales(torch.randn(1, 8)), torch.ones(1))


def test_good_patches_lie_about_1_from_their_centre_and_narrow_directions_are_widened_but_not_noise() -> None:
    widths = torch.logspace(0, -4, 2 * AXES)
    points = torch.randn(4000, 2 * AXES, generator=torch.Generator().manual_seed(0)) * widths + 3
    inside = space_of(points)(points)
    assert inside.shape == (4000, AXES)
    assert float(inside.square().sum(1).mean().sqrt()) == pytest.approx(1, abs=0.01)
    before, after = widths[[0, 8]].tolist(), inside.std(0)[[0, 8]].tolist()
    assert after[1] / after[0] == pytest.approx((before[1] / before[0]) ** 0.5, rel=0.1)
    assert after[1] / after[0] > 2 * float(inside.std(0)[-1]) / after[0], "what hardly varies stays small"


def test_frames_that_are_all_alike_give_a_space_of_finite_numbers() -> None:
    space = space_of(torch.ones(100, 16))
    assert torch.isfinite(space.axes).all() and torch.isfinite(space(torch.rand(5, 16))).all()


@pytest.mark.parametrize("stride", [2, 4, 8, 16])
def test_smoothing_keeps_a_peak_in_place_and_a_flat_map_flat(stride: int) -> None:
    smoothing = Smoothing(stride)
    flat = smoothing(torch.full((1, 1, 8, 8), 0.7))
    torch.testing.assert_close(flat, torch.full_like(flat, 0.7))
    peak = torch.zeros(1, 1, 9, 9)
    peak[0, 0, 4, 4] = 1
    smoothed = smoothing(peak)[0, 0]
    torch.testing.assert_close(smoothed, smoothed.flip(0, 1))
    row, column = divmod(int(smoothed.argmax()), smoothed.shape[1])
    assert abs(row + 0.5 - smoothed.shape[0] / 2) <= 0.5
    assert abs(column + 0.5 - smoothed.shape[1] / 2) <= 0.5


def fitted(seed: int = 0, size: int = 60) -> list[list[Memory]]:
    layers = [patches(width=12), patches(width=20)]
    for layer in layers:
        layer[2:4] += 100  # the parts of fold 1 lie apart from all others
    return fit_banks(
        [Patches.of(list(layer)) for layer in layers],
        torch.tensor([0, 0, 1, 1, 2, 2]),
        [Plan(size), Plan(size // 2)],
        seed,
    )


def test_held_out_memories_know_nothing_of_their_fold() -> None:
    for layer, (whole, *without) in enumerate(fitted()):
        queries = cells(patches(width=(12, 20)[layer])[2] + 100)
        assert float(whole(queries).median()) < 1
        assert float(without[1](queries).min()) > 2 * float(whole(queries).max())
        assert len(without) == 3 and all(len(memory.bank) < len(whole.bank) for memory in without[:1])


def test_same_seed_same_bank_same_scores() -> None:
    first, again, other = (fitted(seed)[0][0] for seed in (1, 1, 2))
    queries = cells(patches()[0])
    assert torch.equal(first.bank, again.bank)
    assert torch.equal(first(queries), again(queries))
    assert not torch.equal(first.bank, other.bank)


def test_a_layer_weighs_less_the_more_its_maxima_vary_and_few_parts_say_little() -> None:
    maps = (
        torch.randn(200, 2, 4, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 2.0])[:, None, None]
    )
    weights = weigh(maps)
    assert float(weights.sum()) == pytest.approx(1)
    assert 2.5 < float(weights[0] / weights[1]) < 5
    few = weigh(maps[:5])
    assert 1 / 2.5 < float(few[0] / few[1]) < 2.5
    assert torch.equal(weigh(torch.zeros(5, 2, 4, 4)), torch.tensor([0.5, 0.5]))


def test_the_score_is_the_maps_maximum() -> None:
    backbone = create_backbone("resnet18", "random", ("layer1", "layer2"))
    memories = [
        Memory(torch.randn(20, 8), Space(torch.zeros(width), torch.randn(width, 8) / 8)) for width in backbone.channels
    ]
    model = Detector(backbone, PatchMemory(memories, (0.3, 0.7), 1, Smoothing(8))).eval()
    frame = torch.randint(0, 256, (3, 64, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        defect_map, score, embedding = model(frame)
    assert (defect_map.shape, score.shape, embedding.shape) == ((3, 16, 24), (3,), (3, 128))
    assert torch.equal(score, defect_map.flatten(1).amax(1))
