"""A model package: the only thing that training hands to serving.

`model.onnx`, `card.json`, `golden/`, `reference.png` where frames are registered, and the graphs of its variants.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trialsight.card import Card, Variant
from trialsight.errors import PackageError
from trialsight.files import sha256_of, write_json_atomic
from trialsight.image import decode, read_header
from trialsight.structure import structure

GRAPH = "model.onnx"
FP32 = "fp32"  # the variant that every package has: `model.onnx`, as trained
CARD = "card.json"
GOLDEN = "golden"
RECIPE = "recipe.yaml"  # what the model was trained by; nothing of it is needed to inspect
REFERENCE = "reference.png"


@dataclass(frozen=True)
class Package:
    """A package on disk whose card was read and whose checksums were right.

    `variant` None: the fp32 graph. With a variant, `card` speaks of that one (its thresholds, promise, golden scores).
    """

    folder: Path
    card: Card
    variant: Variant | None = None

    @property
    def graph(self) -> Path:
        return self.folder / (GRAPH if self.variant is None else self.variant.file)

    @property
    def variant_name(self) -> str:
        return FP32 if self.variant is None else self.variant.name

    def as_variant(self, name: str) -> "Package":
        """The same package by another of its graphs. Raises PackageError where it has none of that name."""
        if name == self.variant_name:
            return self
        if self.variant is not None:
            return load_package(self.folder).as_variant(name)
        found = next((one for one in self.card.variants if one.name == name), None)
        if found is None:
            known = ", ".join([FP32, *(one.name for one in self.card.variants)])
            raise PackageError(f"{self.folder} has no variant {name}", f"it has {known}")
        return Package(self.folder, self.card.as_variant(found), found)

    def reference(self) -> NDArray[np.uint8] | None:
        """(H, W, 3) RGB, the picture that frames are registered to; None where they aren't."""
        if self.card.preparation.registration is None:
            return None
        data = (self.folder / REFERENCE).read_bytes()
        return decode(data, read_header(data))

    def golden_frames(self) -> list[bytes]:
        """The golden frames' encoded bytes, in the card's order."""
        return [(self.folder / GOLDEN / frame.file).read_bytes() for frame in self.card.golden]


def load_package(folder: Path) -> Package:
    """Read and verify a package. Raises PackageError: no such folder, unreadable card, or a checksum that differs."""
    if not (folder / CARD).is_file():
        raise PackageError(f"{folder} is not a model package: {CARD} is missing", "give the folder that `train` made")
    try:
        card = structure(Card, json.loads((folder / CARD).read_text(encoding="utf-8")), "card")
    except (OSError, ValueError) as error:
        raise PackageError(f"{folder / CARD}: {error}", "export the package again") from error
    _verify(folder / GRAPH, card.graph_sha256)
    if card.preparation.reference_sha256 is not None:
        _verify(folder / REFERENCE, card.preparation.reference_sha256)
    for variant in card.variants:
        _verify(folder / _plain(folder, variant.file), variant.sha256)
    for frame in card.golden:
        _verify(folder / GOLDEN / _plain(folder, frame.file), frame.sha256)
    return Package(folder, card)


def write_card(folder: Path, card: Card) -> None:
    write_json_atomic(folder / CARD, card.to_json())


def _plain(folder: Path, file: str) -> str:
    if Path(file).name != file:
        raise PackageError(f"{folder / CARD}: {file!r} is not a plain file name")
    return file


def _verify(path: Path, expected: str) -> None:
    if not path.is_file():
        raise PackageError(f"{path} is missing", "export the package again")
    if (actual := sha256_of(path)) != expected:
        raise PackageError(
            f"{path} was altered: its sha256 is {actual[:12]}…, the card says {expected[:12]}…",
            "export it again",
        )
