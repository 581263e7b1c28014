"""The image sets that are measured. They lie beside the repository and are never part of it."""

import os
from pathlib import Path

from benchmarks.measure.report import ROOT
from trialsight.errors import TrialsightError
from trialsight_datasets import ImageSet, read_image_set

SETS = ("casting", "cookie", "magnetic_tile", "assembly_screws", "alien_figure")
TRUNK = "resnet18_trunk.pth"


def shared_folder(given: Path | None) -> Path:
    """`given`, else TRIALSIGHT_SHARED, else `shared` beside the repository; holds `data` and `weights`."""
    folder = given or Path(os.environ.get("TRIALSIGHT_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir() or not (folder / "weights" / TRUNK).is_file():
        raise TrialsightError(
            f"{folder} holds no data and weights/{TRUNK}", "name the folder with --shared or TRIALSIGHT_SHARED"
        )
    return folder


def read_set(shared: Path, name: str) -> ImageSet:
    if name not in SETS:
        raise TrialsightError(f"{name!r} is not one of the sets", f"known are {', '.join(SETS)}")
    return read_image_set(shared / "data" / name)


def some_frames(image_set: ImageSet, count: int) -> list[Path]:
    """`count` test frames evenly over the set, so that good and defective parts are both among them."""
    step = max(1, len(image_set.test) // count)
    return [sample.path for sample in image_set.test[::step][:count]]
