"""What a layout's reader finds in a folder: samples, and whatever doesn't fit, so that a check can list all of it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from trialsight_datasets.drawn import Drawn
from trialsight_datasets.sample import GOOD, SUFFIXES, TEST, TRAIN, Sample, Split, part_name

FOREIGN = frozenset({".webp", ".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".dng", ".raw"})
TEST_SHARE = 0.2


@dataclass(frozen=True)
class Problem:
    """A file that can't be used as it stands. `str()` is one line."""

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


@dataclass
class Listing:
    """Collects while a reader walks `root`; `name` is the set's."""

    root: Path
    name: str
    samples: list[Sample] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(
        self,
        path: Path,
        label: str,
        split: Split,
        mask: Path | None,
        drawn: Drawn | None = None,
        part: str | None = None,
        view: str = "default",
    ) -> None:
        """`part` None: the image's own name, one image a part."""
        self.samples.append(Sample(path, label, split, mask, part or part_name(path, self.root), view, drawn))

    def problem(self, path: Path, what: str) -> None:
        self.problems.append(Problem(path, what))

    def images(self, folder: Path) -> dict[str, Path]:
        """Images at any depth below `folder` in order of their names, by path without suffix; hidden files are not
        images. Of two that differ in nothing but the suffix the first is taken, the other is a problem."""
        found: dict[str, Path] = {}
        for path in sorted(folder.rglob("*")):
            within = path.relative_to(folder)
            if any(part.startswith(".") for part in within.parts) or not path.is_file():
                continue
            suffix = path.suffix.lower()
            if suffix in FOREIGN:
                self.problem(path, f"{suffix} images can't be read; convert it to PNG or JPEG")
            if suffix not in SUFFIXES:
                continue
            key = within.with_suffix("").as_posix()
            if key in found:
                self.problem(path, f"is a second image of the name of {found[key].name}; rename one of them")
            else:
                found[key] = path
        return found

    def add_class(self, images: dict[str, Path], label: str, split: Split, masks: dict[str, Path]) -> None:
        """Add one class; a mask is called as its image is, with or without `_mask`. `masks` loses those used."""
        for key, path in images.items():
            self.add(path, label, split, masks.pop(f"{key}_mask", None) or masks.pop(key, None))

    def orphans(self, masks: Iterable[Path]) -> None:
        for mask in masks:
            self.problem(mask, "is a mask without an image; remove it, or give it its image's name")


def class_folders(folder: Path) -> list[Path]:
    """Folders within `folder`, not the hidden ones, in order of their names."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def splits_of_good(names: Iterable[str]) -> dict[str, Split]:
    """Divide good parts where the layout doesn't: a fifth of them (rounded down) is kept for testing.

    They are taken in order of the sha256 of their names, so the division depends on nothing but the names, and a
    part that comes later moves few of the others.
    """
    by_hash = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    kept = int(len(by_hash) * TEST_SHARE)
    return {name: TEST if place < kept else TRAIN for place, name in enumerate(by_hash)}


def is_good_name(name: str) -> bool:
    return name.casefold() == GOOD


def split_of(name: str) -> Split | None:
    """The split that other tools' names mean, `train2017` or `val` for instance; None where it is none of theirs."""
    word = name.casefold().strip("0123456789_-. ")
    if word in ("train", "training"):
        return TRAIN
    return TEST if word in ("test", "testing", "val", "valid", "validation") else None


def divide(listing: Listing) -> None:
    """Give samples of a layout without splits theirs: all defective parts are for testing, and a fifth of the good."""
    bad = {sample.part for sample in listing.samples if not sample.is_good}
    splits = splits_of_good(sorted({sample.part for sample in listing.samples} - bad))
    listing.samples = [replace(sample, split=splits.get(sample.part, TEST)) for sample in listing.samples]


def label_of(names: Iterable[str], areas: Iterable[float]) -> str:
    """An image has one label: of its defects the one with the largest area in all. None at all: good."""
    total: dict[str, float] = {}
    for name, area in zip(names, areas, strict=True):
        total[name] = total.get(name, 0.0) + area
    return max(total, key=lambda name: (total[name], name), default=GOOD)
