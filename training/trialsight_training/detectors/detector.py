"""What all detectors have in common: what they learn from, what they give back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from trialsight.recipe import Augment, DetectorSpec
from trialsight_training.backbones import Backbone
from trialsight_training.detectors.graph import Detector, Layers, joined
from trialsight_training.progress import Progress
from trialsight_training.store import Store


@dataclass(frozen=True)
class Patches:
    """Cells of one layer: `points` (n, C), and of each the number of its part, `parts` (n,)."""

    points: Tensor
    parts: Tensor

    @classmethod
    def of(cls, points: Sequence[Tensor]) -> "Patches":
        """(k, C) of each part, part after part."""
        counts = torch.tensor([len(one) for one in points])
        return cls(torch.cat(list(points)), torch.arange(len(points)).repeat_interleave(counts))


@dataclass(frozen=True)
class Good:
    """N good parts as the model sees them. `frames` (N, H, W, 3) uint8 RGB. `layers` of the backbone.
    `patches`: of each layer a random share of the parts' cells and of augmented copies'; of an update's
    parts only those of the new ones. `folds` (N,) from 0."""

    frames: Tensor
    layers: Layers
    patches: tuple[Patches, ...]
    folds: Tensor

    @cached_property
    def features(self) -> Tensor:
        """(N, C, h, w): the layers joined."""
        return _joined(self.layers)


@dataclass(frozen=True)
class Defective:
    """M labelled defective parts, possibly none. `masks[i]` (H, W) bool, None where only the part's class is known.

    `folds` (M,) are of the same numbers as the good parts', each class spread over them.
    """

    frames: Tensor
    layers: Layers
    masks: tuple[Tensor | None, ...]
    labels: tuple[str, ...]
    folds: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def features(self) -> Tensor:
        """(M, C, h, w): the layers joined."""
        return _joined(self.layers)


@dataclass(frozen=True)
class Lesson:
    """`previous`: the state that an earlier fit left behind, empty where there was none."""

    backbone: Backbone
    good: Good
    defective: Defective
    spec: DetectorSpec
    augment: Augment
    seed: int
    previous: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Learned:
    """`model` is what will be exported. `good_maps` (N, h, w) and `defect_maps` (M, h, w): the map of each part by a
    model that learned from the other folds alone. `description`: for people. `state`: what an update goes on from."""

    model: Detector
    good_maps: Tensor
    defect_maps: Tensor
    description: dict[str, object] = field(default_factory=dict)
    state: dict[str, Tensor] = field(default_factory=dict)


def _joined(layers: Layers) -> Tensor:
    """Part by part, since they may lie on disk, as what comes of them may."""
    parts = len(layers.maps[0])
    if not parts:
        return joined(layers)
    store = Store(parts)
    with torch.no_grad():
        for index in range(parts):
            store.add(joined(layers.of(index))[0])
    return store.all()


# How each detector learns; `fit.py` of its folder holds it.
Learn = Callable[[Lesson, Progress], Learned]
