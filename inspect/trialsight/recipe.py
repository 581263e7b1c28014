"""A recipe says how one variant is inspected: its view, the detector, how thresholds are set, the deadline."""

import base64
import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from trialsight.chosen import Chosen
from trialsight.errors import RecipeError
from trialsight.geometry.register import Registration
from trialsight.geometry.scale import Scale
from trialsight.geometry.shapes import Shape
from trialsight.health import HealthLimits
from trialsight.judging import Judging
from trialsight.likeness import Likeness
from trialsight.regions import Morphology
from trialsight.rules import Rule
from trialsight.structure import structure
from trialsight.tiles import GRID_PX

DetectorName = Literal["auto", "patch_memory", "gaussian", "discriminator", "student_teacher", "segmenter"]
VariantName = Literal["fp16", "int8", "bf16"]
# The largest sides of square pictures: of one pass through the model, and in tiles.
WHOLE_PX, TILED_PX = 1024, 8192
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class View:
    """One camera's view. `width_px` and `height_px` None: any frame size is taken and resized.

    Shapes are in pixels of the upright frame; with registration, in those of the reference. `roi`: what the model sees
    is cropped to its box, and only what lies inside counts. `ignore`: where nothing counts. `zones`: names for rules.
    """

    name: str = "default"
    width_px: int | None = None
    height_px: int | None = None
    scale: Scale | None = None
    roi: Shape | None = None
    ignore: tuple[Shape, ...] = ()
    zones: dict[str, Shape] = field(default_factory=dict)
    registration: Registration | None = None

    def __post_init__(self) -> None:
        for label, value in (("width_px", self.width_px), ("height_px", self.height_px)):
            if value is not None and value <= 0:
                raise ValueError(f"{label} must be above 0, got {value}")
        if self.width_px is None or self.height_px is None:
            if self.roi or self.ignore or self.zones:
                raise ValueError("shapes need a fixed frame size: give width_px and height_px")
            return
        shapes = {"roi": self.roi} if self.roi else {}
        shapes |= {f"ignore[{index}]": shape for index, shape in enumerate(self.ignore)} | self.zones
        for label, shape in shapes.items():
            x, y, width, height = shape.box
            if x < 0 or y < 0 or x + width > self.width_px or y + height > self.height_px:
                raise ValueError(f"{label} reaches beyond the frame of {self.width_px}x{self.height_px} pixels")


@dataclass(frozen=True)
class HealthSpec:
    """`learn`: limits of exposure, contrast, blur and likeness from the training frames. `frozen_after`: so many equal
    frames in a row are a frozen camera; None never looks (a simulated or replayed camera repeats itself)."""

    learn: bool = True
    frozen_after: int | None = None


@dataclass(frozen=True)
class Input:
    """What the model sees. `size_px` is the side of a square with as many pixels as the picture that frames are
    brought to; its own sides keep the frame's aspect and are multiples of 16, with tiles of 32.

    `tile_px`: that picture goes through the model in square tiles of this side, which overlap by the share `overlap`
    of it; for large frames with small defects. None: as a whole.
    """

    size_px: int = 256
    keep_aspect: bool = True
    tile_px: int | None = None
    overlap: float = 0.25

    def __post_init__(self) -> None:
        most = WHOLE_PX if self.tile_px is None else TILED_PX
        if not 64 <= self.size_px <= most:
            remedy = "; larger ones need input.tile_px" if self.tile_px is None else ""
            raise ValueError(f"size_px must lie between 64 and {most}, got {self.size_px}{remedy}")
        if self.tile_px is not None and (self.tile_px % GRID_PX or not 128 <= self.tile_px <= WHOLE_PX):
            raise ValueError(f"tile_px must be a multiple of {GRID_PX} from 128 to {WHOLE_PX}, got {self.tile_px}")
        if not 0.125 <= self.overlap <= 0.5:
            raise ValueError(f"overlap must lie between 0.125 and 0.5, got {self.overlap}")


@dataclass(frozen=True)
class DetectorSpec:
    """`name`: docs/detectors.md says which one when. `backbone`: `shipped`, one of torchvision's, or `timm/`
    and one of timm's. `weights`: `shipped`, `random` (seeded), `hub` (the library's, from the internet) or a path to a
    state dict. `layers` empty:
    the backbone's usual ones. `bank_size`: patches that patch_memory keeps of each layer. `steps`: of training, for
    detectors with weights of their own; None takes the detector's usual number."""

    name: DetectorName = "patch_memory"
    backbone: str = "shipped"
    layers: tuple[str, ...] = ()
    weights: str = "shipped"
    bank_size: int = 2000
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.backbone == "shipped") != (self.weights == "shipped"):
            raise ValueError(
                f"backbone {self.backbone} has no weights {self.weights}: give `shipped` for both or for neither"
            )
        if not 16 <= self.bank_size <= 100_000:
            raise ValueError(f"bank_size must lie between 16 and 100000, got {self.bank_size}")
        if self.steps is not None and not 1 <= self.steps <= 100_000:
            raise ValueError(f"steps must lie between 1 and 100000, got {self.steps}")


@dataclass(frozen=True)
class Augment:
    """`copies` of each good part are learned as well (of more than ten parts as many as of ten, from a hundred on
    none), each varied by lot within these bounds, so that a part that lies a little further out than any training part
    is no news. What is varied is taken for good: allow no more than good parts show. `shift`: share of the frame's
    sides; `scale`, `brightness`: share; `blur_px`: standard deviation in pixels of the model's input; `noise`: standard
    deviation as a share of white."""

    copies: int = 2
    rotation_deg: float = 2.0
    shift: float = 0.01
    brightness: float = 0.03
    scale: float = 0.0
    blur_px: float = 0.0
    noise: float = 0.0
    flip: tuple[Literal["horizontal", "vertical"], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.copies <= 20:
            raise ValueError(f"copies must lie between 0 and 20, got {self.copies}")
        for label, value, most in (
            ("rotation_deg", self.rotation_deg, 180),
            ("shift", self.shift, 0.5),
            ("brightness", self.brightness, 0.5),
            ("scale", self.scale, 0.5),
            ("blur_px", self.blur_px, 10),
            ("noise", self.noise, 0.5),
        ):
            if not 0 <= value <= most:
                raise ValueError(f"{label} must lie between 0 and {most}, got {value}")


@dataclass(frozen=True)
class Costs:
    """What errors cost, in any unit: a defect that passes, a good part rejected, a part that a person looks at.
    `defect_rate`: the share of parts expected to be defective on the line, whatever it is in the image set."""

    escape: float
    overkill: float
    review: float
    defect_rate: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.review <= min(self.escape, self.overkill) <= max(self.escape, self.overkill) < math.inf:
            raise ValueError(
                "review must cost something, and no more than escape and overkill, "
                f"got escape {self.escape}, overkill {self.overkill}, review {self.review}"
            )
        if not 0 < self.defect_rate < 1:
            raise ValueError(f"defect_rate must lie between 0 and 1, got {self.defect_rate}")


@dataclass(frozen=True)
class Calibration:
    """`false_reject` and `review` are shares of good parts: at most the first is rejected, with `confidence`, and the
    second is rejected or sent to review on average. `confidence` None: what the good parts support at 95 %; a number
    is a demand that too few parts are refused for. `costs`: where defects are labelled, t1 and t2 are the cheapest
    that keep the promise. `margin` lifts both thresholds by that fraction of the good scores' spread, as headroom for
    a process that still moves."""

    false_reject: float = 0.05
    review: float = 0.15
    folds: int = 5
    margin: float = 0.0
    confidence: float | None = None
    costs: Costs | None = None

    def __post_init__(self) -> None:
        if not 0 < self.false_reject <= self.review < 1:
            raise ValueError(f"0 < false_reject <= review < 1 is needed, got {self.false_reject} and {self.review}")
        if self.confidence is not None and not 0.5 <= self.confidence < 1:
            raise ValueError(f"confidence must lie between 0.5 and 1, got {self.confidence}")
        if not 2 <= self.folds <= 100:
            raise ValueError(f"folds must lie between 2 and 100, got {self.folds}")
        if not 0 <= self.margin < math.inf:
            raise ValueError(f"margin must not be negative, got {self.margin}")


@dataclass(frozen=True)
class Recipe:
    """`variants`: forms of the graph that the package shall hold beside fp32, each as far as it passes its gate.
    `fp16`: half the size, fp32's speed. `int8`: faster. `bf16`: fp32's graph by OpenVINO in bfloat16, for processors
    with AMX. `thresholds`: T1 and T2 that people chose, by model version; a version that isn't named has those of its
    calibration. `promotion`: whether a person or the worker promotes a retrained version, both through the gate;
    `promotion_margin`: by how much it may be worse than the champion on the test parts. `retraining`: whether a person
    asks for it, or an alarm of drift that a new model would answer does too."""

    name: str
    product: str = ""
    variant: str = ""
    view: View = field(default_factory=View)
    input: Input = field(default_factory=Input)
    detector: DetectorSpec = field(default_factory=DetectorSpec)
    augment: Augment = field(default_factory=Augment)
    calibration: Calibration = field(default_factory=Calibration)
    rules: tuple[Rule, ...] = ()
    morphology: Morphology = field(default_factory=Morphology)
    health: HealthSpec = field(default_factory=HealthSpec)
    variants: tuple[VariantName, ...] = ("fp16", "int8")
    thresholds: dict[str, Chosen] = field(default_factory=dict)
    deadline_ms: int = 2000
    seed: int = 0
    promotion: Literal["manual", "automatic"] = "manual"
    promotion_margin: float = 0.02
    retraining: Literal["manual", "on_drift"] = "manual"

    def __post_init__(self) -> None:
        if not 0 <= self.promotion_margin <= 1:
            raise ValueError(f"promotion_margin must lie between 0 and 1, got {self.promotion_margin}")
        if not NAME.fullmatch(self.name):
            raise ValueError(
                f"name {self.name!r} must be 1-63 of a-z, 0-9, '-' and '_', and start with a letter or a digit"
            )
        if len(set(self.variants)) < len(self.variants):
            raise ValueError(f"variants name one twice: {', '.join(self.variants)}")
        if self.deadline_ms <= 0:
            raise ValueError(f"deadline_ms must be above 0, got {self.deadline_ms}")
        self.judging(None)  # so that a rule that can't work is refused here, not when the model is made

    def judging(self, health: HealthLimits | None, likeness: Likeness | None = None) -> Judging:
        """What the card says of how a map is judged; `health` and `likeness` as learned from the training frames."""
        view = self.view
        return Judging(
            scale=view.scale,
            roi=view.roi,
            ignore=view.ignore,
            zones=view.zones,
            rules=self.rules,
            morphology=self.morphology,
            health=health if self.health.learn else None,
            likeness=likeness if self.health.learn else None,
            frozen_after=self.health.frozen_after,
        )

    def content_hash(self) -> str:
        """Hex sha256 of what the recipe says, whatever its file looked like: its version."""
        return hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Plain data without what is None; `parse_recipe` gives the same recipe back."""
        plain: dict[str, Any] = _plain(self._content())
        return plain

    def _content(self) -> dict[str, Any]:
        """Without what nobody chose of fields that came later: such a recipe keeps the version that it always had."""
        content = asdict(self)
        if not self.thresholds:
            del content["thresholds"]
        if self.retraining == "manual":
            del content["retraining"]
        return content

    def to_yaml(self) -> str:
        """The recipe as a file; `load_recipe` gives the same recipe back."""
        return yaml.safe_dump(self.to_json(), sort_keys=False, allow_unicode=True)


def parse_recipe(data: object) -> Recipe:
    """A recipe from plain data, which names no files. Raises RecipeError that names the field and what was expected."""
    try:
        return structure(Recipe, data, "recipe")
    except ValueError as error:
        raise RecipeError(str(error), "see docs/recipes.md") from error


def load_recipe(path: Path) -> Recipe:
    """Read a recipe from YAML. Raises RecipeError that names the file, the field and what was expected."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"recipe {path} does not exist", "give the path of a .yaml file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"recipe {path} can't be read: {' '.join(str(error).split())}") from error
    try:
        return structure(Recipe, _with_masks(data, path.parent), "recipe")
    except ValueError as error:
        raise RecipeError(f"{path}: {error}", "see configs/recipes for examples") from error


def _with_masks(value: Any, folder: Path) -> Any:
    """Mask files (`mask: FILE.png`, beside the recipe) become their content, so that recipe and card stand alone."""
    if isinstance(value, dict):
        items = {key: _with_masks(item, folder) for key, item in value.items()}
        mask = items.get("mask")
        if isinstance(mask, str) and mask.lower().endswith(".png"):
            try:
                items["mask"] = base64.b64encode((folder / mask).read_bytes()).decode()
            except OSError as error:
                raise ValueError(f"mask {folder / mask} can't be read: {error.strerror}") from error
        return items
    return [_with_masks(item, folder) for item in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Without None (which is every default's meaning) and with lists for tuples, as YAML wants it."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
