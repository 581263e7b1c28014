"""A folder of images: once in order, or watched for those that come."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from trialsight.errors import FrameError, TrialsightError
from trialsight.image import read_header
from trialsight.report import SUFFIXES
from trialsight.source import CameraFrame

_HEADER_BYTES = 64 * 1024
LOOK_S = 0.2
State = tuple[int, int]  # size in bytes, time of the last change in ns


class Folder:
    """`watch`: never ends; a file is taken once its size and time stand still between two looks, in order of time.

    Without it, what is there now is taken in order of the names, shuffled where there is a seed.
    """

    live = False

    def __init__(self, folder: Path, watch: bool = False, seed: int | None = None) -> None:
        self._folder, self._watch, self._seed = folder, watch, seed

    def frames(self, took: Callable[[str], bool], stop: Event) -> Iterator[CameraFrame]:
        """Raises TrialsightError for a folder without images that isn't watched."""
        return self._coming(took, stop) if self._watch else self._once(took)

    def _once(self, took: Callable[[str], bool]) -> Iterator[CameraFrame]:
        files = sorted(_images(self._folder))
        if not files:
            raise TrialsightError(f"{self._folder} holds no image", "JPEG, PNG, BMP and TIFF are taken")
        if self._seed is not None:
            random.Random(self._seed).shuffle(files)  # noqa: S311 - an order, not a secret
        for path in files:
            if (state := _state(path)) is not None and not took(_origin(path, state)):
                yield _read(path, state)

    def _coming(self, took: Callable[[str], bool], stop: Event) -> Iterator[CameraFrame]:
        before: dict[Path, State] = {}
        while not stop.is_set():
            now = {path: state for path in _images(self._folder) if (state := _state(path)) is not None}
            still = sorted((state[1], path) for path, state in now.items() if before.get(path) == state and state[0])
            for _, path in still:
                if not took(_origin(path, now[path])):
                    yield _read(path, now[path])
                if stop.is_set():
                    return
            before = now
            stop.wait(LOOK_S)


def _images(folder: Path) -> Iterator[Path]:
    """Hidden files are somebody's work in progress, masks are no frames."""
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and not hidden and "ground_truth" not in path.parts and path.is_file():
            yield path


def _state(path: Path) -> State | None:
    """None where the file is gone meanwhile."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _origin(path: Path, state: State) -> str:
    """A file that is written anew is another frame."""
    return f"{path.resolve()}\0{state[0]}\0{state[1]}"


def _read(path: Path, state: State) -> CameraFrame:
    data = path.read_bytes()
    try:
        content_type = read_header(data[:_HEADER_BYTES]).content_type
    except FrameError:
        content_type = "application/octet-stream"  # sent all the same: the service says what is wrong with it
    captured = datetime.fromtimestamp(state[1] / 1e9, UTC)
    part = f"{path.parent.name}-{path.stem}"
    return CameraFrame(data, content_type, part, _truth(path), captured, _origin(path, state))


def _truth(path: Path) -> str | None:
    """The folder's name where folders are labels, as beside a folder `good` (MVTec's layout)."""
    kind = path.parent
    return kind.name if kind.name == "good" or (kind.parent / "good").is_dir() else None
