"""The card: everything about a model that is not in the graph. Written by training, read by whoever inspects."""

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from trialsight.engines import EngineName
from trialsight.geometry.register import Registration
from trialsight.judging import Judging
from trialsight.tiles import GRID_PX, Tiles, Tiling
from trialsight.verdict import Thresholds, Verdict

FORMAT = 1


@dataclass(frozen=True)
class Preparation:
    """How a frame becomes the model's input; training and inspection both follow it to the letter.

    `width_px`, `height_px`: size of the input. `frame_width_px`, `frame_height_px`: the size frames must have, or
    None for any. `reduced_decode`: 1, 2, 4 or 8, the fraction at which JPEG frames are decoded (other formats are
    decoded whole and then reduced by area averaging). `crop_px`: x, y, width, height of the part of the frame that the
    model sees, None for all of it. `registration`: undone before the crop, against the package's `reference.png`, whose
    checksum is `reference_sha256`. `color` is the channel order of the graph's input. `tiles`: the prepared picture of
    `width_px` x `height_px` goes through the graph in tiles; None: as a whole.
    """

    width_px: int
    height_px: int
    frame_width_px: int | None = None
    frame_height_px: int | None = None
    reduced_decode: int = 1
    crop_px: tuple[int, int, int, int] | None = None
    registration: Registration | None = None
    reference_sha256: str | None = None
    color: str = "RGB"
    tiles: Tiles | None = None

    @property
    def graph_size_px(self) -> tuple[int, int]:
        """(width, height) of what the graph takes."""
        return (self.tiles.width_px, self.tiles.height_px) if self.tiles else (self.width_px, self.height_px)

    @property
    def tiling(self) -> Tiling | None:
        return Tiling((self.width_px, self.height_px), self.tiles) if self.tiles else None

    def __post_init__(self) -> None:
        if self.width_px <= 0 or self.height_px <= 0:
            raise ValueError(f"input must be at least 1x1, got {self.width_px}x{self.height_px}")
        if (self.frame_width_px is None) != (self.frame_height_px is None):
            raise ValueError("frame_width_px and frame_height_px go together: give both or neither")
        if self.reduced_decode not in (1, 2, 4, 8):
            raise ValueError(f"reduced_decode must be 1, 2, 4 or 8, got {self.reduced_decode}")
        if self.crop_px is not None and (min(self.crop_px[:2]) < 0 or min(self.crop_px[2:]) <= 0):
            raise ValueError(f"crop_px must lie in the frame and have a size, got {self.crop_px}")
        if self.crop_px is not None and self.frame_width_px is None:
            raise ValueError("crop_px needs a fixed frame size: give frame_width_px and frame_height_px")
        if (self.registration is None) != (self.reference_sha256 is None):
            raise ValueError("registration and reference_sha256 go together: give both or neither")
        if self.tiles and (self.width_px % GRID_PX or self.height_px % GRID_PX):
            raise ValueError(
                f"a picture in tiles must have sides in multiples of {GRID_PX}, not {self.width_px}x{self.height_px}"
            )
        if self.tiles and (self.tiles.width_px > self.width_px or self.tiles.height_px > self.height_px):
            raise ValueError(f"tiles are larger than the picture of {self.width_px}x{self.height_px}")
        if self.color != "RGB":
            raise ValueError(f"color must be RGB, got {self.color}")


@dataclass(frozen=True)
class Promise:
    """With `confidence`, at most `false_reject` of good parts score above t2, as `n` held-out scores of good parts
    show, as long as the next parts are of their kind. `on_average`: the rate to expect over many such calibrations.

    `confidence` None, in old cards: `false_reject` is the average one. docs/training.md says what is proven.
    """

    false_reject: float
    n: int
    method: str
    confidence: float | None = None
    on_average: float | None = None

    def __str__(self) -> str:
        confidence = "on average" if self.confidence is None else f"with {self.confidence:.0%} confidence"
        return f"≤ {self.false_reject:.1%} of good parts rejected {confidence}, n = {self.n}"


def parts_needed(share: float, confidence: float) -> int:
    """The fewest good parts that can promise `share` false rejects with `confidence`: their highest score keeps it
    (Wilks, "Determination of sample sizes for setting tolerance limits", 1941)."""
    return math.ceil(math.log(1 - confidence) / math.log(1 - share) - 1e-9)


@dataclass(frozen=True)
class GoldenFrame:
    """A frame of the package with the verdict it must get; `score` within `tolerance` (relative) of what was seen."""

    file: str
    sha256: str
    verdict: Verdict
    score: float
    tolerance: float = 1e-2


@dataclass(frozen=True)
class Variant:
    """Another form of the graph, offered because it passed its own gate (docs/decisions/0010-variants.md).

    `file`: its graph in the package; `bytes`: that file's size. `engine`: the only one that can run it, None for any.
    `precision`: what that engine may compute in. Thresholds, promise and golden scores (in the order of the card's
    golden frames) are its own. `metrics`, over the frames that it was tried on (`frames`, `auroc_frames` of them test
    parts): `image_auroc` and its `image_auroc_difference` to the card's graph, None without labels; `map_difference`,
    the largest, relative to the map's largest value; `verdict_agreement`, the share of equal verdicts;
    `good_score_shift`, the median, and `good_score_noise`, the 95 % quantile around it, in units of the calibrated
    scores' spread (median to t2).
    """

    name: str
    file: str
    sha256: str
    bytes: int
    thresholds: Thresholds
    promise: Promise
    golden_scores: tuple[float, ...]
    metrics: dict[str, float | None] = field(default_factory=dict)
    engine: EngineName | None = None
    precision: Literal["f32", "bf16"] = "f32"


@dataclass(frozen=True)
class GrownFrom:
    """The model that this one was updated from, and how many parts that one had learned."""

    graph_sha256: str
    dataset_sha256: str
    mlflow_run_id: str | None
    good: int
    defective: int


@dataclass(frozen=True)
class VariantOf:
    """The model of an older variant (RECIPE/VERSION) that this one was started from. `transferred`: whether its bank or
    heads were taken over; `examples`: how many of its labelled defects were."""

    model: str
    graph_sha256: str
    dataset_sha256: str
    transferred: bool
    examples: int


@dataclass(frozen=True)
class Provenance:
    """`grown_from` and `variant_of` None: learned from `dataset_sha256` alone."""

    dataset_sha256: str
    seed: int
    git_commit: str | None = None
    mlflow_run_id: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    grown_from: GrownFrom | None = None
    variant_of: VariantOf | None = None


@dataclass(frozen=True)
class Card:
    """`detector` describes it for people (name, backbone, layers, bank); the graph alone computes.

    `metrics` values are None where the set has no labels for them. `created_at` is ISO 8601 in UTC.
    """

    recipe: str
    created_at: str
    graph_sha256: str
    opset: int
    detector: dict[str, Any]
    preparation: Preparation
    thresholds: Thresholds
    promise: Promise
    calibration_scores: tuple[float, ...]
    metrics: dict[str, float | None]
    golden: tuple[GoldenFrame, ...]
    provenance: Provenance
    product: str = ""
    variant: str = ""
    deadline_ms: int = 2000
    judging: Judging = field(default_factory=Judging)
    variants: tuple[Variant, ...] = ()
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"format {self.format} is not the format {FORMAT} that this version reads")
        for variant in self.variants:
            if len(variant.golden_scores) != len(self.golden):
                counts = f"{len(variant.golden_scores)} golden scores for {len(self.golden)} golden frames"
                raise ValueError(f"variant {variant.name} has {counts}")

    def as_variant(self, variant: Variant) -> "Card":
        """The card with the variant's thresholds, promise and golden scores in place of the fp32 graph's."""
        golden = tuple(
            replace(frame, score=score) for frame, score in zip(self.golden, variant.golden_scores, strict=True)
        )
        return replace(self, thresholds=variant.thresholds, promise=variant.promise, golden=golden)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
