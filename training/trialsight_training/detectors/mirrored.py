"""Parts with their mirror images, as the backbone sees them: four times as many to learn from.

Features are not mirrored themselves: a backbone's filters know left from right, so no picture shows what that gives.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from trialsight_training.backbones import Backbone
from trialsight_training.detectors.graph import patch_features
from trialsight_training.detectors.labels import draw
from trialsight_training.parallel import each
from trialsight_training.progress import Progress
from trialsight_training.store import Store

# Axes of (..., H, W) that are turned about: left and right, top and bottom, both.
WAYS = ((-1,), (-2,), (-2, -1))
# Of more parts so many by lot are mirrored, since each takes three passes of the backbone: tiles are many.
MOST = 200


@dataclass(frozen=True)
class Shown:
    """N parts: joined `maps` (N, C, h, w), `marks` (N, 1, h, w) of what is wanted there. `mirrored` (n, 3, C, h, w) of
    half precision: n of them, each in all WAYS. `rows` (N,) say where, -1 for those that aren't among them."""

    maps: Tensor
    marks: Tensor
    mirrored: Tensor
    rows: Tensor

    def drawn(self, count: int, known: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(count, C, h, w) and (count, 1, h, w): of the `known` (k,) parts some by lot, as they are or mirrored."""
        chosen = known[draw(len(known), count, generator)].tolist()
        ways = draw(len(WAYS) + 1, count, generator).tolist()
        pairs = [self._seen(part, way) for part, way in zip(chosen, ways, strict=True)]
        return torch.stack([maps for maps, _ in pairs]), torch.stack([marks for _, marks in pairs])

    def _seen(self, part: int, way: int) -> tuple[Tensor, Tensor]:
        row = int(self.rows[part])
        if way == 0 or row < 0:
            return self.maps[part], self.marks[part]
        return self.mirrored[row, way - 1].float(), self.marks[part].flip(WAYS[way - 1])


def with_mirrored(
    backbone: Backbone, frames: Tensor, maps: Tensor, marks: Tensor, seed: int, progress: Progress
) -> Shown:
    """`frames` (N, H, W, 3) uint8 RGB of the parts whose joined features are `maps`."""
    chosen = torch.randperm(len(frames), generator=torch.Generator().manual_seed(seed))[:MOST]
    rows = torch.full((len(frames),), -1)
    rows[chosen] = torch.arange(len(chosen))
    if not len(chosen):
        return Shown(maps, marks, maps.new_empty(0), rows)
    found = Store(len(chosen))
    with progress.task("mirroring", len(chosen)) as step:
        for one in each(partial(_mirrored, backbone), (frames[part] for part in chosen.tolist())):
            found.add(one)
            step()
    return Shown(maps, marks, found.all(), rows)


def _mirrored(backbone: Backbone, frame: Tensor) -> Tensor:
    """(H, W, 3) to (3, C, h, w)."""
    picture = frame.permute(2, 0, 1)
    views = torch.stack([picture.flip(way) for way in WAYS]).permute(0, 2, 3, 1)
    return patch_features(backbone, views).half()
