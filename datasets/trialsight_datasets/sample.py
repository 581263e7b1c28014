"""One labelled image of an image set, and the set: what every reader gives and training takes."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from trialsight import TrialsightError
from trialsight.files import sha256_of
from trialsight_datasets.drawn import Drawn
from trialsight_datasets.manifest import Entry, version_of

GOOD = "good"
TRAIN: Literal["train"] = "train"
TEST: Literal["test"] = "test"
Split = Literal["train", "test"]
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True)
class Sample:
    """`label` is `good` or the defect's class. `part` names the physical part within its set: where the layout doesn't
    tell, the path without the suffix. `view`: which camera's, where several see one part.

    A mask is a file (`mask_path`) or shapes (`drawn`), never both; with neither, nobody drew one. A good part needs
    none, its mask is empty.
    """

    path: Path
    label: str
    split: Split
    mask_path: Path | None
    part: str
    view: str = "default"
    drawn: Drawn | None = None

    @property
    def is_good(self) -> bool:
        return self.label == GOOD

    @property
    def has_mask(self) -> bool:
        return self.mask_path is not None or self.drawn is not None

    def mask_bytes(self) -> bytes:
        """The mask as a file, empty where there is none. Raises TrialsightError where its shapes can't be drawn."""
        if self.drawn is not None:
            return self.drawn.png()
        return b"" if self.mask_path is None else self.mask_path.read_bytes()

    def entry(self) -> Entry:
        mask = hashlib.sha256(self.mask_bytes()).hexdigest() if self.has_mask else None
        suffix = self.path.suffix.lower()
        return Entry(self.part, self.view, sha256_of(self.path), suffix, self.label, self.split, mask)


@dataclass(frozen=True)
class ImageSet:
    """`layout` is the name of the reader that read it. Training parts are good ones, in some sets labelled
    defects too."""

    root: Path
    name: str
    layout: str
    train: tuple[Sample, ...]
    test: tuple[Sample, ...]

    def __iter__(self) -> Iterator[Sample]:
        yield from self.train
        yield from self.test

    def __len__(self) -> int:
        return len(self.train) + len(self.test)

    @property
    def has_masks(self) -> bool:
        """Whether at least one defective test part has one, so that pixel metrics can be had."""
        return any(sample.has_mask for sample in self.test if not sample.is_good)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many images each split holds of each label."""
        found: dict[str, dict[str, int]] = {TRAIN: {}, TEST: {}}
        for sample in self:
            labels = found[sample.split]
            labels[sample.label] = labels.get(sample.label, 0) + 1
        return found

    def first_good(self, n: int) -> "ImageSet":
        """The same set with only the first `n` good training parts; labelled defects stay.

        Raises TrialsightError where it has fewer.
        """
        good = [sample for sample in self.train if sample.is_good]
        if not 1 <= n <= len(good):
            raise TrialsightError(
                f"{self.root} has {len(good)} good training parts, {n} were asked for",
                f"ask for 1 to {len(good)}" if good else "add good parts to the training split",
            )
        return replace(self, train=(*good[:n], *(sample for sample in self.train if not sample.is_good)))

    def version(self, on_file: Callable[[], None] | None = None) -> str:
        """Hex sha256 of the content: each sample's part, view, split, label, image bytes and mask bytes.

        Independent of where the set lies and of the order of its samples. `on_file` is called after each sample.
        """
        entries = []
        for sample in self:
            entries.append(sample.entry())
            if on_file is not None:
                on_file()
        return version_of(entries)


def part_name(path: Path, root: Path) -> str:
    """The path within the set without its suffix, with `/` on any system."""
    return _within(path.with_suffix(""), root)


def _within(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
