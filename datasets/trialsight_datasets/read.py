"""The one door to image sets: a folder goes in, typed samples come out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trialsight import FrameError, TrialsightError
from trialsight.image import read_header
from trialsight_datasets.formats import folders, mvtec, visa
from trialsight_datasets.formats.listing import Listing, Problem
from trialsight_datasets.pixels import upright_size
from trialsight_datasets.sample import TEST, TRAIN, ImageSet, Sample

AUTO = "auto"
HEAD_BYTES = 65_536


@dataclass(frozen=True)
class Layout:
    name: str
    detect: Callable[[Path], bool]
    read: Callable[[Path], Listing]
    looks_like: str


# In order of detection: an MVTec folder is told by train/, VisA by its table, and plain folders by good/ alone.
LAYOUTS = (
    Layout("mvtec", mvtec.detect, mvtec.read, mvtec.LOOKS_LIKE),
    Layout("visa", visa.detect, visa.read, visa.LOOKS_LIKE),
    Layout("folders", folders.detect, folders.read, folders.LOOKS_LIKE),
)


def read_image_set(folder: Path, layout: str = AUTO, good: int | None = None) -> ImageSet:
    """Read a folder whose layout is `mvtec`, `visa`, `folders`, or found out. `good`: only so many good training parts.

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
    chosen = _choose(folder, layout)
    listing = chosen.read(folder)
    train = tuple(sample for sample in listing.samples if sample.split == TRAIN)
    test = tuple(sample for sample in listing.samples if sample.split == TEST)
    if not listing.samples and not listing.problems:
        raise TrialsightError(
            f"{folder} holds no images, though it has the {chosen.name} layout",
            "images are .jpg, .jpeg, .png, .bmp, .tif and .tiff",
        )
    return ImageSet(listing.root, listing.name, chosen.name, train, test), listing.problems


def header_problems(sample: Sample) -> list[Problem]:
    """What the headers of an image and its mask tell: not an image, or sizes that differ."""
    try:
        size = _header_size(sample.path)
    except TrialsightError as error:
        return [Problem(sample.path, error.problem)]
    if sample.mask_path is None:
        return []
    try:
        mask_size = _header_size(sample.mask_path)
        if mask_size != size and mask_size[::-1] == size:
            size = upright_size(sample.path)
    except TrialsightError as error:
        return [Problem(sample.mask_path, error.problem)]
    if mask_size == size:
        return []
    sizes = f"{mask_size[0]}x{mask_size[1]} pixels, its image {sample.path.name} has {size[0]}x{size[1]}"
    return [Problem(sample.mask_path, f"the mask has {sizes}")]


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


def _choose(folder: Path, name: str) -> Layout:
    known = "; ".join(f"{layout.name}: {layout.looks_like}" for layout in LAYOUTS)
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise TrialsightError(f"image set {folder} {found}", "give the folder of an image set")
    if name != AUTO:
        by_name = {layout.name: layout for layout in LAYOUTS}
        if name not in by_name:
            raise TrialsightError(f"layout {name!r} is not known", f"take {AUTO}, {', '.join(by_name)}")
        return by_name[name]
    for layout in LAYOUTS:
        if layout.detect(folder):
            return layout
    found = ", ".join(sorted(f"{path.name}{'/' * path.is_dir()}" for path in folder.iterdir())[:8]) or "nothing"
    raise TrialsightError(f"{folder} has no layout that is known; it holds {found}", f"known layouts are {known}")
