"""Where camera frames come from. A source is any function in the entry-point group `trialsight.frame_sources`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class CameraFrame:
    """One encoded frame as a camera sends it. `truth` is `good`, a defect's name, or None where nobody knows.

    `captured_at`: None for now. `origin`: a name for the frame by which a source that shows it again is understood to
    (a file's, say); empty where no frame comes twice.
    """

    data: bytes
    content_type: str
    part: str
    truth: str | None = None
    captured_at: datetime | None = None
    origin: str = ""


class FrameSource(Protocol):
    def __call__(self, seed: int, defect_share: float, line: str | None = None) -> Iterator[CameraFrame]:
        """Endless frames. `defect_share`: the share of parts that are defective, 0..1. `line`: a file that says more,
        named after the source's name and a colon."""
        ...
