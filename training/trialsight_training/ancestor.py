"""Where a new variant starts: with the banks or heads of the model that it comes from, and that one's labelled defects.

Of the older variant's good parts nothing is kept for calibration: what the new one promises rests on its own parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from trialsight.card import VariantOf
from trialsight.errors import TrialsightError
from trialsight.home import Home
from trialsight.package import Package, load_package
from trialsight.recipe import Recipe
from trialsight_datasets import read_image_set
from trialsight_datasets.formats.listing import Listing
from trialsight_datasets.library import open_version
from trialsight_datasets.sample import GOOD, TRAIN, ImageSet, Sample
from trialsight_training.state import load_state

# Detectors that learn what a defect looks like, whatever it lies on.
LEARN_LABELS = frozenset({"auto", "discriminator", "segmenter"})


@dataclass(frozen=True)
class Ancestor:
    """`name`: RECIPE/VERSION. `tensors`: what the detector may go on from, empty where it can't. `examples`: labelled
    defects of the older variant, for detectors that learn from them."""

    name: str
    package: Package
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    examples: tuple[Sample, ...] = ()

    def origin(self, transferred: bool) -> VariantOf:
        card = self.package.card
        return VariantOf(self.name, card.graph_sha256, card.provenance.dataset_sha256, transferred, len(self.examples))


def load_ancestor(name: str, folder: Path, recipe: Recipe, home: Home) -> Ancestor:
    """`recipe`: the new variant's. Raises PackageError for a damaged package."""
    package = load_package(folder)
    same = all(
        package.card.detector.get(field) == value
        for field, value in (("name", recipe.detector.name), ("backbone", recipe.detector.backbone))
    )
    try:
        tensors = load_state(folder, package.card.graph_sha256).tensors if same else {}
    except TrialsightError:  # a package from elsewhere, or one that left too much to keep
        tensors = {}
    examples = _examples(package, home) if recipe.detector.name in LEARN_LABELS else ()
    return Ancestor(name, package, tensors, examples)


def good_parts(folder: Path) -> ImageSet:
    """A folder of nothing but pictures of good parts, all to be learned; or any image set.

    Raises TrialsightError where it is neither.
    """
    listing = Listing(folder, folder.name)
    images = listing.images(folder) if folder.is_dir() else {}
    if not images:
        return read_image_set(folder)
    train = tuple(Sample(path, GOOD, TRAIN, None, part) for part, path in images.items())
    return ImageSet(folder, folder.name, "pictures", train, ())


def _examples(package: Package, home: Home) -> tuple[Sample, ...]:
    path = next(home.sets.glob(f"*/{package.card.provenance.dataset_sha256}.json"), None)
    if path is None:
        return ()
    image_set, gone = open_version(path)
    return tuple(one for one in image_set.train if not one.is_good and one not in gone)
