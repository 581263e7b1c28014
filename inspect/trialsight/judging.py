"""How a defect map becomes a verdict: where defects count, what is tolerated, when a picture is unfit.

Held in the card beside the thresholds. The graph knows nothing of it, so that tolerances move without a new model.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trialsight.geometry.scale import Scale
from trialsight.geometry.shapes import Shape, rasterise
from trialsight.health import HealthLimits
from trialsight.likeness import Likeness
from trialsight.naming import Naming
from trialsight.regions import Morphology
from trialsight.rules import Rule, check_rules


@dataclass(frozen=True)
class Judging:
    """Shapes are in pixels of the upright frame; with registration, in those of the reference.

    `roi` None: the whole frame counts. `ignore`: zones that never do. `zones`: named for the rules. `health` None:
    every picture is taken as fit. `likeness` None: any product is. `frozen_after`: so many identical frames in a row
    are a frozen camera; None: never. `naming` None: regions have no class.
    """

    scale: Scale | None = None
    roi: Shape | None = None
    ignore: tuple[Shape, ...] = ()
    zones: dict[str, Shape] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    morphology: Morphology = field(default_factory=Morphology)
    health: HealthLimits | None = None
    likeness: Likeness | None = None
    frozen_after: int | None = None
    naming: Naming | None = None

    def __post_init__(self) -> None:
        check_rules(self.rules, self.zones, self.scale is not None)
        if self.frozen_after is not None and self.frozen_after < 2:
            raise ValueError(f"frozen_after must be at least 2, got {self.frozen_after}")

    def mask(
        self, map_shape: tuple[int, int], window_px: tuple[float, float, float, float]
    ) -> NDArray[np.bool_] | None:
        """(h, w) True where defects count, or None where they count everywhere.

        `window_px`: x, y, width, height of the part of the frame that the map covers. Raises ValueError when nothing
        is left to inspect.
        """
        if self.roi is None and not self.ignore:
            return None
        size = (map_shape[1], map_shape[0])
        mask = np.ones(map_shape, dtype=bool) if self.roi is None else rasterise(self.roi, size, window_px)
        for shape in self.ignore:
            mask &= ~rasterise(shape, size, window_px)
        if not mask.any():
            raise ValueError("the region of interest, less what is ignored, leaves nothing to inspect")
        return mask
