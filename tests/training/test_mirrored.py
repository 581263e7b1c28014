"""Mirror images show what their pictures would, with their marks, and of known parts alone."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trialsight_training.backbones.backbone import Backbone
from trialsight_training.detectors.graph import patch_features
from trialsight_training.detectors.labels import UNKNOWN, widened
from trialsight_training.detectors.mirrored import MOST, Shown, with_mirrored
from trialsight_training.progress import Progress


class LeftOf(nn.Module):
    """Sees left from right: each cell's mean, and how much brighter its left neighbour is."""

    def forward(self, frame: Tensor) -> dict[str, Tensor]:
        cells = F.avg_pool2d(frame.mean(1, keepdim=True), 8)
        return {"cells": torch.cat([cells, cells.roll(1, dims=3) - cells], dim=1)}


BACKBONE = Backbone("left of", ("cells",), LeftOf())


def shown(parts: int) -> tuple[Shown, Tensor]:
    """Parts whose frames are told apart by their pixels, each marked in one corner; and the frames."""
    frames = torch.randint(256, (parts, 32, 48, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps = patch_features(BACKBONE, frames)
    marks = torch.zeros(parts, 1, 4, 6)
    marks[:, :, 0, 0] = 1
    return with_mirrored(BACKBONE, frames, maps, marks, 0, Progress(silent=True)), frames


def test_what_is_drawn_is_the_part_or_a_picture_of_its_mirror_image() -> None:
    parts, frames = shown(3)
    flips: list[list[int]] = [[], [2], [1], [1, 2]]
    with torch.no_grad():
        pictures = {str(way): patch_features(BACKBONE, frames[1:2].flip(way))[0] for way in flips}
    corners = {str(way): (-1 if 1 in way else 0, -1 if 2 in way else 0) for way in flips}
    met = set()
    maps, marks = parts.drawn(40, torch.tensor([1]), torch.Generator().manual_seed(0))
    for one, mark in zip(maps, marks, strict=True):
        way = min(pictures, key=lambda name: float((pictures[name] - one).abs().max()))
        torch.testing.assert_close(one, pictures[way], rtol=1e-3, atol=1e-3)
        assert mark.sum() == 1 and mark[0, *corners[way]] == 1
        met.add(way)
    assert met == set(pictures)


def test_only_known_parts_are_drawn_and_of_many_a_share_is_mirrored() -> None:
    parts, _ = shown(MOST + 5)
    assert int((parts.rows >= 0).sum()) == MOST
    last = int((parts.rows < 0).nonzero()[0, 0])
    maps, _ = parts.drawn(10, torch.tensor([last]), torch.Generator().manual_seed(0))
    assert all(torch.equal(one, parts.maps[last]) for one in maps)


def test_cells_around_a_defect_count_for_it_and_what_is_unknown_stays_so() -> None:
    wanted = torch.zeros(2, 1, 5, 5)
    wanted[0, 0, 2, 2] = 1
    wanted[1] = UNKNOWN
    grown = widened(wanted)
    assert grown[0, 0, 1:4, 1:4].eq(1).all() and grown[0].sum() == 9
    assert grown[1].eq(UNKNOWN).all()
