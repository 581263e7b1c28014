"""Which class a region is of: what the graph says of each class there, where that is sure enough."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The label of defects that nobody gave a class; no region is given it.
UNNAMED = "defect"


@dataclass(frozen=True)
class Naming:
    """`classes`: in the order of the class map's planes. `floor`: the mean probability in a region's stronger part from
    which it is of a class; below it has none."""

    classes: tuple[str, ...]
    floor: float

    def __post_init__(self) -> None:
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes must be there and differ, got {', '.join(self.classes) or 'none'}")
        if not 0 < self.floor <= 1:
            raise ValueError(f"floor must lie above 0 and at most at 1, got {self.floor}")


@dataclass(frozen=True)
class ClassMap:
    """One frame's probabilities (K, h, w) of each of the naming's classes, over the same picture as its `defect_map`,
    which may be finer."""

    naming: Naming
    probabilities: NDArray[np.float32]
    defect_map: NDArray[np.float32]

    def mean(self, corner: tuple[int, int], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(K,) over a region: `corner` (x, y) of its box in the defect map, `inside` (h, w) which pixels are its.

        Pixels whose score lies in the lower half of the region's are left out: the blur around a defect is of no class.
        """
        rows, columns = (places + start for places, start in zip(inside.nonzero(), corner[::-1], strict=True))
        scores = self.defect_map[rows, columns]
        strong = scores >= (scores.min() + scores.max()) / 2
        (height, width), whole = self.probabilities.shape[1:], self.defect_map.shape
        rows, columns = rows[strong] * height // whole[0], columns[strong] * width // whole[1]
        return np.asarray(self.probabilities[:, rows, columns].mean(axis=1, dtype=np.float64), np.float64)

    def name(self, corner: tuple[int, int], inside: NDArray[np.bool_]) -> str | None:
        """The likeliest class, None where it isn't sure enough or the probabilities are no numbers."""
        found = self.mean(corner, inside)
        best = int(found.argmax())
        sure = math.isfinite(found[best]) and found[best] >= self.naming.floor
        return self.naming.classes[best] if sure else None
