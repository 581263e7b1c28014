"""Where the agent's frames come from: a folder of images, or a source that some package offers by name."""

import itertools
import random
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

from trialsight.errors import FrameError, TrialsightError
from trialsight.image import read_header
from trialsight.report import SUFFIXES
from trialsight.source import CameraFrame, FrameSource

GROUP = "trialsight.frame_sources"
_HEADER_BYTES = 64 * 1024


def open_source(name: str, seed: int | None, defect_share: float) -> Iterator[CameraFrame]:
    """A folder's images once, in order (shuffled where a seed is given), or a named source's without end."""
    folder = Path(name)
    if folder.is_dir():
        return _folder(folder, seed)
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        raise TrialsightError(
            f"--source {name} is neither a folder nor a source", f"sources are: {', '.join(sorted(found)) or 'none'}"
        )
    source: FrameSource = found[name].load()
    return source(seed or 0, defect_share)


def _folder(folder: Path, seed: int | None) -> Iterator[CameraFrame]:
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and "ground_truth" not in path.parts
    )
    if not files:
        raise TrialsightError(f"{folder} holds no image", "JPEG, PNG, BMP and TIFF are taken")
    if seed is not None:
        random.Random(seed).shuffle(files)  # noqa: S311 - an order, not a secret
    return map(_read, files)


def _read(path: Path) -> CameraFrame:
    data = path.read_bytes()
    try:
        content_type = read_header(data[:_HEADER_BYTES]).content_type
    except FrameError:
        content_type = "application/octet-stream"  # sent all the same: the service says what is wrong with it
    return CameraFrame(data, content_type, f"{path.parent.name}-{path.stem}", _truth(path))


def _truth(path: Path) -> str | None:
    """The folder's name where folders are labels, as beside a folder `good` (MVTec's layout)."""
    kind = path.parent
    return kind.name if kind.name == "good" or (kind.parent / "good").is_dir() else None


def limited(frames: Iterator[CameraFrame], count: int | None) -> Iterator[CameraFrame]:
    return frames if count is None else itertools.islice(frames, count)
