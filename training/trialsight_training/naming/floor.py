"""How sure the head must be before a region is given a class, as parts show that it didn't learn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trialsight.judging import Judging
from trialsight.naming import ClassMap, Naming
from trialsight.regions import region_mask
from trialsight_training.detectors.detector import Defective, Good
from trialsight_training.naming.fit import Named

# The lowest means likelier than all else together. The floor is the lowest by which so many of the named are named
# rightly.
FLOORS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
RIGHT = 0.9


@dataclass(frozen=True)
class _Seen:
    """A region of a part that wasn't learned: whether its likeliest class is right, and how likely that is."""

    right: bool
    sure: float


def with_naming(
    judging: Judging,
    named: Named | None,
    good: tuple[Good, Tensor],
    defective: tuple[Defective, Tensor],
    threshold: float,
) -> Judging:
    """`judging` that gives classes. With the parts come their maps (N, h, w) and (M, h, w) by detectors that didn't
    learn them; `threshold`: from which a pixel belongs to a region. A region of a good part is of no class."""
    if named is None:
        return judging
    maps = torch.cat([good[1], defective[1]])
    folds = torch.cat([good[0].folds, defective[0].folds])
    labels = [None] * len(good[1]) + list(defective[0].labels)
    masks = [None] * len(good[1]) + list(defective[0].masks)
    seen: list[_Seen] = []
    for place in (maps.flatten(1).amax(1) >= threshold).nonzero()[:, 0].tolist():
        parts, own = (good[0], place) if place < len(good[1]) else (defective[0], place - len(good[1]))
        namer = named.without[int(folds[place]) % len(named.without)]
        with torch.no_grad():
            probabilities = namer(parts.features[own : own + 1])[0].numpy()
        defect_map = maps[place].numpy()
        classes = ClassMap(Naming(named.classes, FLOORS[0]), probabilities, defect_map)
        for inside in _regions(defect_map, threshold, judging, masks[place]):
            found = classes.mean((0, 0), inside)
            best = int(found.argmax())
            seen.append(_Seen(named.classes[best] == labels[place], float(found[best])))
    return replace(judging, naming=Naming(named.classes, _floor(seen)))


def _regions(
    defect_map: NDArray[np.float32], threshold: float, judging: Judging, mask: Tensor | None
) -> Iterator[NDArray[np.bool_]]:
    """(h, w) of each region; where the defect is drawn, of each that lies on it."""
    found = region_mask(defect_map, threshold, judging.morphology)
    count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    drawn = None
    if mask is not None:
        drawn = cv2.resize(mask.numpy().astype(np.float32), found.shape[::-1], interpolation=cv2.INTER_AREA) > 0
    for number in range(1, count):
        inside = labels == number
        if drawn is None or (inside & drawn).any():
            yield inside


def _floor(seen: Sequence[_Seen]) -> float:
    """The lowest that is right often enough, else the one that is right most often."""
    shares = []
    for floor in FLOORS:
        named = [one.right for one in seen if one.sure >= floor]
        shares.append(sum(named) / len(named) if named else 0.0)
    enough = next((floor for floor, share in zip(FLOORS, shares, strict=True) if share >= RIGHT), None)
    return enough or FLOORS[int(np.argmax(shares))]
