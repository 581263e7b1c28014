"""The one door to image sets: a folder goes in, typed samples come out."""

from pathlib import Path
from typing import Protocol

from trialsight import FrameError, TrialsightError
from trialsight.image import read_header
from trialsight_datasets.formats import coco, folders, kolektor, labelme, mvtec, supervisely, visa, yolo
from trialsight_datasets.formats.listing import Listing, Problem
from trialsight_datasets.library import open_version
from trialsight_datasets.pixels import upright_size
from trialsight_datasets.sample import TEST, TRAIN, ImageSet, Sample
from trialsight_datasets.write import Target

AUTO = "auto"
HEAD_BYTES = 65_536


class Layout(Protocol):
    """A module of `formats`. `lost`: what of a sample the layout can't say, None where nothing gets lost."""

    LOOKS_LIKE: str

    def detect(self, folder: Path) -> bool: ...
    def read(self, folder: Path) -> Listing: ...
    def write(self, image_set: ImageSet, target: Target) -> None: ...
    def lost(self, sample: Sample) -> str | None: ...


# In order of detection: those told by files of their own come first, plain folders by good/ alone come last.
LAYOUTS: dict[str, Layout] = {
    "supervisely": supervisely,
    "yolo": yolo,
    "coco": coco,
    "labelme": labelme,
    "visa": visa,
    "kolektor": kolektor,
    "mvtec": mvtec,
    "folders": folders,
}


def read_image_set(folder: Path, layout: str = AUTO, good: int | None = None) -> ImageSet:
    """Read a folder whose layout is one of LAYOUTS, or found out. `good`: only so many good training parts.

    Every file's header is read, no pixels. Raises TrialsightError where the folder is missing, of no known layout, or
    empty, where an image can't be read or a mask has no image or another size; it names the first such file.
    """
    image_set, problems = list_image_set(folder, layout)
    for sample in image_set:
        problems += header_problems(sample)
        if problems:
            break
    if problems:
        raise TrialsightError(str(problems[0]), f"`trialsight data check {folder}` lists all that is wrong")
    return image_set if good is None else image_set.first_good(good)


def list_image_set(folder: Path, layout: str = AUTO) -> tuple[ImageSet, list[Problem]]:
    """The samples by their names alone, and the files that have no place among them. No file is opened.

    Raises TrialsightError where there is no set to speak of.
    """
    folder = folder.expanduser().resolve()
    if folder.suffix == ".json" and folder.is_file():
        image_set, gone = open_version(folder)
        return image_set, [Problem(one.path, f"is named by {folder.name} but not there") for one in gone]
    name = _choose(folder, layout)
    listing = LAYOUTS[name].read(folder)
    train = tuple(sample for sample in listing.samples if sample.split == TRAIN)
    test = tuple(sample for sample in listing.samples if sample.split == TEST)
    if not listing.samples and not listing.problems:
        raise TrialsightError(
            f"{folder} holds no images, though it has the {name} layout",
            "images are .jpg, .jpeg, .png, .bmp, .tif and .tiff",
        )
    return ImageSet(listing.root, listing.name, name, train, test), listing.problems


def header_problems(sample: Sample) -> list[Problem]:
    """What the headers of an image and its mask tell: not an image, or sizes that differ."""
    try:
        size = _header_size(sample.path)
    except TrialsightError as error:
        return [Problem(sample.path, error.problem)]
    if not sample.has_mask:
        return []
    named = sample.mask_path or sample.path
    try:
        mask_size = sample.drawn.size_px if sample.drawn is not None else _header_size(named)
        if mask_size != size and mask_size[::-1] == size:
            size = upright_size(sample.path)
    except TrialsightError as error:
        return [Problem(named, error.problem)]
    if mask_size == size:
        return []
    sizes = f"{mask_size[0]}x{mask_size[1]} pixels, its image {sample.path.name} has {size[0]}x{size[1]}"
    return [Problem(named, f"the mask has {sizes}")]


def _header_size(path: Path) -> tuple[int, int]:
    """(width, height) as stored. Most headers lie in the first 64 KiB; a TIFF's may stand at the end."""
    try:
        with path.open("rb") as file:
            data = file.read(HEAD_BYTES)
            try:
                header = read_header(data)
            except FrameError:
                header = read_header(data + file.read())
    except OSError as error:
        raise TrialsightError(f"can't be read: {error.strerror}") from error
    except FrameError as error:
        raise TrialsightError(error.problem) from error
    return header.width_px, header.height_px


def _choose(folder: Path, name: str) -> str:
    known = "; ".join(f"{name}: {layout.LOOKS_LIKE}" for name, layout in reversed(LAYOUTS.items()))
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise TrialsightError(
            f"image set {folder} {found}", "give the folder of an image set, or the file of a set version"
        )
    if name != AUTO:
        if name not in LAYOUTS:
            raise TrialsightError(f"layout {name!r} is not known", f"take {AUTO}, {', '.join(LAYOUTS)}")
        return name
    for own, layout in LAYOUTS.items():
        if layout.detect(folder):
            return own
    found = ", ".join(sorted(f"{path.name}{'/' * path.is_dir()}" for path in folder.iterdir())[:8]) or "nothing"
    raise TrialsightError(f"{folder} has no layout that is known; it holds {found}", f"known layouts are {known}")
