"""The detector's numbers: distances against the plain formula, maps that stay in place, banks that follow the seed."""

import pytest
import torch
from torch import Tensor

from trialsight_training.backbones import create_backbone
from trialsight_training.detectors.graph import Detector, Smoothing
from trialsight_training.detectors.patch_memory import Memory, PatchMemory, fit_patch_memory
from trialsight_training.detectors.patch_memory.model import AXES, principal_axes


def patches(parts: int = 6, seed: int = 0) -> Tensor:
    return torch.randn(parts, 64, 12, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("offset", [0.0, 1000.0], ids=["centred", "far from the origin"])
def test_distance_is_the_euclidean_one_in_units_of_the_spread(offset: float) -> None:
    bank, queries = torch.randn(50, 16) + offset, torch.randn(30, 16) + offset
    memory = Memory(bank, bank.mean(0), spread=2.5)
    expected = torch.cdist(queries.double(), bank.double(), compute_mode="donot_use_mm_for_euclid_dist").amin(1) / 2.5
    torch.testing.assert_close(memory(queries).double(), expected, rtol=1e-3, atol=1e-3)


def test_a_remembered_patch_is_at_no_distance_and_never_not_a_number() -> None:
    bank = torch.randn(50, 16)
    distances = Memory(bank, bank.mean(0), 1.0)(bank)
    assert torch.isfinite(distances).all()
    assert float(distances.max()) < 2e-3


@pytest.mark.parametrize("size", [1, 31, 32, 50, 333])
def test_the_nearest_is_found_whatever_the_banks_size(size: int) -> None:
    bank, queries = torch.randn(size, 16), torch.randn(30, 16)
    expected = torch.cdist(queries, bank, compute_mode="donot_use_mm_for_euclid_dist").amin(1)
    torch.testing.assert_close(Memory(bank, bank.mean(0), 1.0)(queries), expected)


def test_a_search_along_the_widest_axes_finds_patches_about_as_near_and_measures_them_in_full() -> None:
    widths = torch.logspace(0, -1.5, 256)  # as features are: few directions hold most of what varies
    bank, queries = torch.randn(2000, 256) * widths, torch.randn(100, 256) * widths
    center = bank.mean(0)
    axes = principal_axes(bank - center)
    assert axes is not None
    found = Memory(bank, center, 1.0, axes)(queries)
    exact = Memory(bank, center, 1.0)(queries)
    assert float((found / exact).min()) >= 1 - 1e-6  # never nearer than the nearest
    assert float((found / exact).mean()) < 1.005
    assert principal_axes(bank[:, :AXES]) is None


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


def test_held_out_memories_know_nothing_of_their_fold() -> None:
    parts = patches()
    parts[2:4] += 100  # the parts of fold 1 lie apart from all others
    fitted = fit_patch_memory(parts, torch.tensor([0, 0, 1, 1, 2, 2]), bank_size=60, seed=0)
    queries = parts[2]
    assert float(fitted.memory(queries).median()) < 0.1
    assert float(fitted.held_out[1](queries).min()) > 1
    assert [memory.size for memory in fitted.held_out] == [40, 40, 40]


def test_same_seed_same_bank_same_scores() -> None:
    folds = torch.arange(6) % 3
    first, again, other = (fit_patch_memory(patches(), folds, 40, seed) for seed in (1, 1, 2))
    assert torch.equal(first.memory.bank, again.memory.bank)
    assert torch.equal(first.memory(patches()[0]), again.memory(patches()[0]))
    assert not torch.equal(first.memory.bank, other.memory.bank)


def test_the_score_is_the_maps_maximum() -> None:
    backbone = create_backbone("resnet18", "random", ("layer1", "layer2"))
    memory = Memory(torch.randn(20, 192), torch.zeros(192), 5.0)
    model = Detector(backbone, PatchMemory(memory, Smoothing(4))).eval()
    frame = torch.randint(0, 256, (3, 64, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        defect_map, score, embedding = model(frame)
    assert (defect_map.shape, score.shape, embedding.shape) == ((3, 16, 24), (3,), (3, 192))
    assert torch.equal(score, defect_map.flatten(1).amax(1))
