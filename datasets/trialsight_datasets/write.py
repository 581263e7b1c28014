"""Writing a set in a layout of choice: images byte for byte, masks as that layout keeps them."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trialsight import TrialsightError
from trialsight_datasets.drawn import mask_png
from trialsight_datasets.pixels import load_mask
from trialsight_datasets.sample import Sample

_UNFIT = re.compile(r"[^\w.\-]+")


@dataclass
class Target:
    """The folder that is written to, and one name for each image in it. `step` is called after each image."""

    root: Path
    step: Callable[[], None] = lambda: None
    _stems: dict[Path, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def stem(self, sample: Sample) -> str:
        """A file name without suffix that no other image of the set has: the last part of its own, numbered at need."""
        if sample.path not in self._stems:
            name = _UNFIT.sub("_", Path(sample.part).name) or "image"
            if sample.view != "default":
                name += f".{_UNFIT.sub('_', sample.view)}"
            stem, number = name, 1
            while stem.casefold() in self._taken:  # some file systems don't tell a.png from A.png
                number += 1
                stem = f"{name}-{number}"
            self._taken.add(stem.casefold())
            self._stems[sample.path] = stem
        return self._stems[sample.path]


def save_image(sample: Sample, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(sample.path, path)


def save_mask(sample: Sample, path: Path) -> None:
    """A PNG of 0 and 255; of a good part an empty one, of a defective part that has none nothing."""
    mask = load_mask(sample)
    if mask is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mask_png(mask))


def drawn_mask(sample: Sample) -> NDArray[np.bool_] | None:
    """What is marked on a defective part, None where nothing is."""
    return None if sample.is_good else load_mask(sample)


def lost_without_mask(sample: Sample) -> str | None:
    """What layouts lose that know a defect only by where it is."""
    return None if sample.is_good or sample.has_mask else "a defect without a mask is marked all over its image"


def folder_name(label: str) -> str:
    """A class as a folder's name. Raises TrialsightError for one that can't be."""
    if label in ("", ".", "..") or set(label) & set("/\\:\0"):
        raise TrialsightError(f"class {label!r} can't be a folder's name", "rename the class, or take another format")
    return label
