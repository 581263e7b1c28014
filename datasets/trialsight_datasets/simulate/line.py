"""A virtual line: what it makes, how it is lit and seen, which defects come how often, what ages. From YAML."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import yaml

from trialsight import TrialsightError
from trialsight.structure import structure
from trialsight_datasets.simulate.camera import Camera
from trialsight_datasets.simulate.defects import PAINTERS
from trialsight_datasets.simulate.product import BAR, PLATE, STEEL, Lamp, Material, Product
from trialsight_datasets.simulate.scene import PLAY, TURN_DEG
from trialsight_datasets.simulate.wear import Wear

SMALLEST_PX, LARGEST_PX = 128, 4096


@dataclass(frozen=True)
class DefectRate:
    """`rate`: share of the parts that have it. `severity`: from how hard to see (0) to how gross (1)."""

    rate: float
    severity: tuple[float, float] = (0.4, 0.9)

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ValueError(f"rate must lie between 0 and 1, got {self.rate:g}")
        if not 0 <= self.severity[0] <= self.severity[1] <= 1:
            raise ValueError(f"severity must be two rising numbers in 0..1, got {self.severity}")


@dataclass(frozen=True)
class Ageing:
    """From part `begin` on, over `over` parts, up to `amount`; at part `mended` it is as new. `what`: as in Wear."""

    what: Literal["lamp", "lens", "shift_x", "shift_y", "turn_deg"]
    amount: float
    begin: int = 0
    over: int = 1
    mended: int | None = None

    def __post_init__(self) -> None:
        if self.over < 1 or self.begin < 0 or (self.mended is not None and self.mended <= self.begin):
            raise ValueError("begin must be 0 or more, over 1 or more, and mended after begin")
        Wear(**{self.what: self.amount})  # its own limits

    def at(self, number: int) -> float:
        """How far it has come when part `number` passes."""
        if number < self.begin or (self.mended is not None and number >= self.mended):
            return 0.0
        return self.amount * min(1.0, (number - self.begin + 1) / self.over)


@dataclass(frozen=True)
class Fixture:
    """How freely parts lie in it: `play` to every side as a share of the frame's, `turn_deg` either way."""

    play: float = PLAY
    turn_deg: float = TURN_DEG

    def __post_init__(self) -> None:
        if not 0 <= self.play <= 0.2 or not 0 <= self.turn_deg <= 45:
            raise ValueError("play must lie between 0 and 0.2, turn_deg between 0 and 45")


@dataclass(frozen=True)
class Line:
    """`size_px`: side of its square frames. `defects`: by kind; the rest of the parts are good."""

    name: str = "plate"
    size_px: int = 512
    product: Product = PLATE
    material: Material = STEEL
    lamps: tuple[Lamp, ...] = BAR
    camera: Camera = field(default_factory=Camera)
    fixture: Fixture = field(default_factory=Fixture)
    defects: dict[str, DefectRate] = field(default_factory=dict)
    ageing: tuple[Ageing, ...] = ()

    def __post_init__(self) -> None:
        if not SMALLEST_PX <= self.size_px <= LARGEST_PX:
            raise ValueError(f"size_px must lie between {SMALLEST_PX} and {LARGEST_PX}, got {self.size_px}")
        if not self.lamps:
            raise ValueError("a line needs a lamp")
        if unknown := sorted(set(self.defects) - set(PAINTERS)):
            raise ValueError(f"defect {unknown[0]!r} can't be simulated; take one of {', '.join(PAINTERS)}")
        if "missing_hole" in self.defects and not self.product.drilled:
            raise ValueError("a product without drilled holes can't miss one")
        if (total := sum(one.rate for one in self.defects.values())) > 1:
            raise ValueError(f"defects of {total:.0%} of the parts leave none")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The defects that it can have: those named, else all that the product allows."""
        return tuple(self.defects) or tuple(kind for kind in PAINTERS if kind != "missing_hole" or self.product.drilled)

    def wear(self, number: int) -> Wear:
        """What has aged how far when part `number` passes."""
        total: dict[str, float] = {}
        for one in self.ageing:
            total[one.what] = total.get(one.what, 0.0) + one.at(number)
        return Wear(**total)

    def draw_defect(self, rng: np.random.Generator) -> tuple[str, float] | None:
        """A defect's kind and severity, or None for a good part, each as often as the line has it."""
        lot = rng.random()
        for kind, one in self.defects.items():
            if lot < one.rate:
                return kind, float(rng.uniform(*one.severity))
            lot -= one.rate
        return None


def load_line(path: Path) -> Line:
    """Read a line from YAML; a drawing's path is relative to it. Raises TrialsightError that names file and field."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TrialsightError(f"line {path} does not exist", "give the path of a .yaml file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TrialsightError(f"line {path} can't be read: {' '.join(str(error).split())}") from error
    if (
        isinstance(data, dict)
        and isinstance(product := data.get("product"), dict)
        and isinstance(product.get("svg"), str)
    ):
        drawing = path.parent / product["svg"]
        if not drawing.is_file():
            raise TrialsightError(
                f"{path}: product.svg: {drawing} does not exist", "name a drawing beside the line's file"
            )
        data = {**data, "product": {**product, "svg": str(drawing)}}
    try:
        return structure(Line, data, "line")
    except ValueError as error:
        raise TrialsightError(f"{path}: {error}", "see configs/lines for examples and docs/virtual-line.md") from error
