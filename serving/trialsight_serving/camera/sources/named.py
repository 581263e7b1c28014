"""Sources that some package offers by name, such as the simulated line."""

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from threading import Event

from trialsight.source import CameraFrame, FrameSource

GROUP = "trialsight.frame_sources"


class Named:
    live = False  # what is made on demand can wait

    def __init__(self, name: str, seed: int, defect_share: float, line: str | None = None) -> None:
        self._name, self._seed, self._defect_share, self._line = name, seed, defect_share, line

    def frames(self, took: Callable[[str], bool], stop: Event) -> Iterator[CameraFrame]:
        del took, stop  # without end, and no frame twice
        source: FrameSource = next(entry for entry in entry_points(group=GROUP) if entry.name == self._name).load()
        return source(self._seed, self._defect_share, self._line)


def known() -> list[str]:
    return sorted(entry.name for entry in entry_points(group=GROUP))
