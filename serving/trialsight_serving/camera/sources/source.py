"""What the agent asks of a source."""

from collections.abc import Callable, Iterator
from threading import Event
from typing import Protocol

from trialsight.source import CameraFrame


class Source(Protocol):
    """`live`: its frames don't wait. Where the buffer is full the oldest are lost; other sources wait for room."""

    @property
    def live(self) -> bool: ...

    def frames(self, took: Callable[[str], bool], stop: Event) -> Iterator[CameraFrame]:
        """Until the source ends or `stop` is set. `took`: whether a frame of that origin was taken before."""
        ...
