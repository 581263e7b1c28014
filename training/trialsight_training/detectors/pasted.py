"""Pasted defects: in place of labelled ones, to judge detectors by that don't learn them, or to learn from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from trialsight_training.backbones import Backbone
from trialsight_training.detectors.detector import Defective, Lesson
from trialsight_training.detectors.graph import Layers, layer_maps, patch_features
from trialsight_training.detectors.labels import covered, draw, widened
from trialsight_training.detectors.synthetic import blemish
from trialsight_training.parallel import each
from trialsight_training.progress import Progress
from trialsight_training.store import Store

# Blemished copies of each good part to learn from; of many parts so many in all, since each takes a pass of the
# backbone.
COPIES, MOST = 4, 400


@dataclass(frozen=True)
class Pasted:
    """n blemished copies of good parts: joined `maps` (n, C, h, w) of half precision, `marks` (n, 1, h, w) of 1 where
    the defect shows, `parts` (n,): the number of the part that each is a copy of."""

    maps: Tensor
    marks: Tensor
    parts: Tensor

    def drawn(self, count: int, known: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(count, C, h, w) and (count, 1, h, w): some by lot, of the `known` (k,) parts' copies."""
        copies = torch.isin(self.parts, known).nonzero()[:, 0]
        chosen = copies[draw(len(copies), count, generator)]
        return self.maps[chosen].float(), self.marks[chosen]


def with_pasted(lesson: Lesson, progress: Progress) -> Lesson:
    """The lesson with a blemished copy of each good part, of that part's own fold, in place of labelled defects."""
    rng, good = np.random.default_rng(lesson.seed), lesson.good
    pairs = ((part, int(rng.integers(len(good.frames)))) for part in range(len(good.frames)))
    frames, masks, maps = [], [], []
    with progress.task("pasting", len(good.frames)) as step:
        for frame, mask in _blemished(good.frames, pairs, rng):
            frames.append(frame)
            masks.append(mask)
            with torch.no_grad():
                maps.append(layer_maps(lesson.backbone, frame[None]).maps)
            step()
    labels = ("pasted",) * len(frames)
    layers = Layers(tuple(torch.cat(one) for one in zip(*maps, strict=True)), good.layers.joint)
    defective = Defective(torch.stack(frames), layers, tuple(masks), labels, good.folds)
    return replace(lesson, defective=defective)


def pasted_copies(lesson: Lesson, progress: Progress) -> Pasted:
    """COPIES of each good part, or MOST in all, of parts by lot. What is pasted comes from parts of the same fold, so
    that who doesn't know a fold learns nothing of it."""
    rng, good = np.random.default_rng(lesson.seed), lesson.good
    order = torch.randperm(len(good.frames), generator=torch.Generator().manual_seed(lesson.seed))
    parts = order.repeat(COPIES)[:MOST]
    alike = {fold: (good.folds == fold).nonzero()[:, 0].tolist() for fold in set(good.folds.tolist())}
    pairs = ((part, int(rng.choice(alike[int(good.folds[part])]))) for part in parts.tolist())
    found, marks = Store(len(parts)), []
    with progress.task("pasting", len(parts)) as step:
        for maps, mark in each(partial(_seen, lesson.backbone), _blemished(good.frames, pairs, rng)):
            found.add(maps)
            marks.append(mark)
            step()
    return Pasted(found.all(), torch.stack(marks), parts)


def _blemished(
    frames: Tensor, pairs: Iterable[tuple[int, int]], rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Of each pair, a part of `frames` and one that gives pieces, a copy (H, W, 3) and its mask (H, W)."""
    for part, donor in pairs:
        pixels, mask = blemish(frames[part].numpy(), frames[donor].numpy(), rng)
        yield torch.from_numpy(pixels), torch.from_numpy(mask)


def _seen(backbone: Backbone, blemished: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """A frame and its mask to (C, h, w) and (1, h, w)."""
    frame, mask = blemished
    maps = patch_features(backbone, frame[None])[0]
    return maps.half(), widened(covered(mask[None, None], (maps.shape[1], maps.shape[2])))[0]
