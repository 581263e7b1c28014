"""What is made on a virtual line: outline, holes, slots, engraved text; the material, and the lamps it lies under.

Lengths are fractions of the frame's side, the part's centre is the origin, x goes right and y down.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Colour = tuple[float, float, float]
MaterialKind = Literal["brushed", "cast", "plastic", "printed"]


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must lie between {low:g} and {high:g}, got {value:g}")


@dataclass(frozen=True)
class Hole:
    """`drilled`: one that a worker can forget, so that the defect `missing_hole` takes it."""

    x: float
    y: float
    radius: float
    drilled: bool = True

    def __post_init__(self) -> None:
        _within("x", self.x, -0.5, 0.5)
        _within("y", self.y, -0.5, 0.5)
        _within("radius", self.radius, 0.004, 0.5)


@dataclass(frozen=True)
class Slot:
    """From (`x0`, `y0`) to (`x1`, `y1`), with round ends."""

    x0: float
    y0: float
    x1: float
    y1: float
    radius: float

    def __post_init__(self) -> None:
        _within("radius", self.radius, 0.004, 0.5)
        if (self.x0, self.y0) == (self.x1, self.y1):
            raise ValueError("a slot must lead somewhere: its two ends are the same")


@dataclass(frozen=True)
class Engraving:
    """`x`, `y`: the left end of the text's base line. `height`: of a capital letter. `ink`: printed, not cut."""

    text: str
    x: float
    y: float
    height: float = 0.038
    ink: bool = False

    def __post_init__(self) -> None:
        _within("height", self.height, 0.005, 0.5)
        if not self.text.isascii() or not self.text.isprintable():
            raise ValueError(f"only plain ASCII letters can be engraved, not {self.text!r}")


@dataclass(frozen=True)
class Product:
    """`svg`: a drawing whose closed paths are the outline and what is cut out of it, fitted into `width` x `height`; it
    takes the place of the rounded rectangle. `chamfer`: width of the broken edges."""

    width: float = 0.77
    height: float = 0.63
    corner: float = 0.075
    svg: str | None = None
    holes: dict[str, Hole] = field(default_factory=dict)
    slots: tuple[Slot, ...] = ()
    engravings: tuple[Engraving, ...] = ()
    chamfer: float = 0.012

    def __post_init__(self) -> None:
        _within("width", self.width, 0.05, 0.95)
        _within("height", self.height, 0.05, 0.95)
        _within("corner", self.corner, 0.0, min(self.width, self.height) / 2)
        _within("chamfer", self.chamfer, 0.001, 0.1)

    @property
    def drilled(self) -> tuple[str, ...]:
        return tuple(name for name, hole in self.holes.items() if hole.drilled)


@dataclass(frozen=True)
class Material:
    """`reflectance`: linear. `texture`: how strong its grain is, as a share of the brightness; None takes what is usual
    for the kind. `tint`: RGB; None: the kind's own."""

    kind: MaterialKind = "brushed"
    reflectance: float = 0.36
    texture: float | None = None
    tint: Colour | None = None

    def __post_init__(self) -> None:
        _within("reflectance", self.reflectance, 0.02, 0.9)


@dataclass(frozen=True)
class Lamp:
    """`bar`: from the side that `angle_deg` points to (0: right, 90: below); `ring`: low, from all sides, so that edges
    shine; `dome`: from everywhere, so that only colour and depth show. `strength`: its share among several."""

    kind: Literal["bar", "ring", "dome"] = "bar"
    angle_deg: float = 231.0
    strength: float = 1.0
    colour: Colour = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.strength <= 0 or min(self.colour) < 0 or max(self.colour) <= 0:
            raise ValueError("a lamp needs a strength above 0 and a colour that is not black")

    @property
    def toward(self) -> tuple[float, float]:
        """Unit vector towards a bar, image axes; two digits at its usual place, as its frames have always been."""
        if self.angle_deg == 231.0:
            return -0.62, -0.78
        angle = np.deg2rad(self.angle_deg)
        return float(np.cos(angle)), float(np.sin(angle))


PLATE = Product(
    holes={
        "hole_top_left": Hole(-0.285, -0.215, 0.042),
        "hole_top_right": Hole(0.285, -0.215, 0.042),
        "hole_bottom_left": Hole(-0.285, 0.215, 0.042),
        "hole_bottom_right": Hole(0.285, 0.215, 0.042),
        "bore": Hole(-0.05, 0.0, 0.105, drilled=False),
    },
    slots=(Slot(0.225, -0.085, 0.225, 0.085, 0.03),),
    engravings=(Engraving("TS-204", -0.14, 0.255),),
)
STEEL, BAR = Material(), (Lamp(),)
