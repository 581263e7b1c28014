"""A set in another layout, in a folder of its own; whole or not there."""

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trialsight import TrialsightError
from trialsight.files import move_folder
from trialsight_datasets.read import LAYOUTS
from trialsight_datasets.sample import ImageSet
from trialsight_datasets.write import Target


@dataclass(frozen=True)
class Exported:
    """`lost`: what the layout can't say, and of how many images."""

    folder: Path
    layout: str
    images: int
    lost: dict[str, int]


def export_image_set(
    image_set: ImageSet, layout: str, folder: Path, step: Callable[[], None] = lambda: None
) -> Exported:
    """`folder` must not exist. Raises TrialsightError for an unknown layout or a mask that can't be read."""
    if layout not in LAYOUTS:
        raise TrialsightError(f"layout {layout!r} is not known", f"take one of {', '.join(LAYOUTS)}")
    if folder.exists():
        raise TrialsightError(f"{folder} exists already", "name a folder that doesn't")
    folder.parent.mkdir(parents=True, exist_ok=True)
    writer = LAYOUTS[layout]
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as scratch:
        target = Path(scratch) / folder.name
        target.mkdir()
        writer.write(image_set, Target(target, step))
        move_folder(target, folder)
    lost = Counter(reason for sample in image_set if (reason := writer.lost(sample)) is not None)
    return Exported(folder, layout, len(image_set), dict(lost))
