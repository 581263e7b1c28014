"""The model that another goes on from: recipe and preparation stay, parts that it doesn't know are added."""

from dataclasses import dataclass
from pathlib import Path

from trialsight.card import GrownFrom, Preparation
from trialsight.package import REFERENCE, Package, load_package
from trialsight.prepare import Preparer
from trialsight_datasets.sample import GOOD
from trialsight_training.state import State, load_state


@dataclass(frozen=True)
class Base:
    """The model to go on from, and what it left behind."""

    package: Package
    state: State

    @property
    def preparation(self) -> Preparation:
        return self.package.card.preparation

    @property
    def reference(self) -> bytes | None:
        """The encoded picture that frames are registered to."""
        path = self.package.folder / REFERENCE
        return path.read_bytes() if self.preparation.registration is not None else None

    @property
    def preparer(self) -> Preparer:
        return Preparer(self.preparation, self.package.reference())

    @property
    def learned(self) -> tuple[int, int]:
        """How many good and defective parts."""
        good = sum(one == GOOD for one in self.state.learned.values())
        return good, len(self.state.learned) - good

    @property
    def origin(self) -> GrownFrom:
        card = self.package.card
        came = card.provenance
        return GrownFrom(card.graph_sha256, came.dataset_sha256, came.mlflow_run_id, *self.learned)


def load_base(folder: Path) -> Base:
    """Raises PackageError for a damaged package, TrialsightError where nothing was left to go on from."""
    package = load_package(folder)
    return Base(package, load_state(folder, package.card.graph_sha256))
