"""A recipe says how one variant is inspected: its view, the detector, how thresholds are set, the deadline."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

from trialsight.errors import RecipeError
from trialsight.structure import structure

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class View:
    """One camera's view. `width_px` and `height_px` None: any frame size is taken and resized."""

    name: str = "default"
    width_px: int | None = None
    height_px: int | None = None
    mm_per_px: float | None = None

    def __post_init__(self) -> None:
        for label, value in (
            ("width_px", self.width_px),
            ("height_px", self.height_px),
            ("mm_per_px", self.mm_per_px),
        ):
            if value is not None and value <= 0:
                raise ValueError(f"{label} must be above 0, got {value}")


@dataclass(frozen=True)
class Input:
    """What the model sees. `size_px` is the side of a square with as many pixels as the model's input;
    the input's own sides keep the frame's aspect and are multiples of 32."""

    size_px: int = 256
    keep_aspect: bool = True

    def __post_init__(self) -> None:
        if not 64 <= self.size_px <= 1024:
            raise ValueError(f"size_px must lie between 64 and 1024, got {self.size_px}")


@dataclass(frozen=True)
class DetectorSpec:
    """`weights`: `random` (seeded), `hub` (torchvision's, needs the internet) or a path to a state dict."""

    name: Literal["patch_memory"] = "patch_memory"
    backbone: str = "resnet18"
    layers: tuple[str, ...] = ("layer2", "layer3")
    weights: str = "random"
    bank_size: int = 2000

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("layers must name at least one layer")
        if not 16 <= self.bank_size <= 100_000:
            raise ValueError(f"bank_size must lie between 16 and 100000, got {self.bank_size}")


@dataclass(frozen=True)
class Calibration:
    """`false_reject` and `review` are shares of good parts: at most the first is rejected, and at most
    the second is rejected or sent to review. `margin` lifts both thresholds by that fraction of the good
    scores' spread, as headroom for a process that still moves."""

    false_reject: float = 0.05
    review: float = 0.15
    folds: int = 5
    margin: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.false_reject <= self.review < 1:
            raise ValueError(f"0 < false_reject <= review < 1 is needed, got {self.false_reject} and {self.review}")
        if not 2 <= self.folds <= 100:
            raise ValueError(f"folds must lie between 2 and 100, got {self.folds}")
        if self.margin < 0:
            raise ValueError(f"margin must not be negative, got {self.margin}")


@dataclass(frozen=True)
class Recipe:
    name: str
    product: str = ""
    variant: str = ""
    view: View = field(default_factory=View)
    input: Input = field(default_factory=Input)
    detector: DetectorSpec = field(default_factory=DetectorSpec)
    calibration: Calibration = field(default_factory=Calibration)
    deadline_ms: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(
                f"name {self.name!r} must be 1-63 of a-z, 0-9, '-' and '_', and start with a letter or a digit"
            )
        if self.deadline_ms <= 0:
            raise ValueError(f"deadline_ms must be above 0, got {self.deadline_ms}")


def load_recipe(path: Path) -> Recipe:
    """Read a recipe from YAML. Raises RecipeError that names the file, the field and what was expected."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"recipe {path} does not exist", "give the path of a .yaml file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"recipe {path} can't be read: {' '.join(str(error).split())}") from error
    try:
        return structure(Recipe, data, "recipe")
    except ValueError as error:
        raise RecipeError(f"{path}: {error}", "see configs/recipes for examples") from error
