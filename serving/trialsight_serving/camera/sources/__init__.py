"""Where the agent's frames come from, told by how the source is spelled."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event

from trialsight.errors import TrialsightError
from trialsight.source import CameraFrame
from trialsight_serving.camera.sources.folder import Folder
from trialsight_serving.camera.sources.named import Named, known
from trialsight_serving.camera.sources.source import Source
from trialsight_serving.camera.sources.video import Video

VIDEO = re.compile(r"(rtsp|rtsps|http|https|rtmp|udp)://|/dev/video\d+$|video:")
GENICAM = "genicam:"


def open_source(
    name: str, *, seed: int | None = None, defect_share: float = 0.3, watch: bool = False, encode: str = "jpeg"
) -> Source:
    """A folder (read once, or watched), `video:0`, `/dev/video0`, `rtsp://…` or a film, `genicam:PRODUCER.cti`, or a
    named source, such as `simulated` or `simulated:LINE.yaml`. Raises TrialsightError for anything else."""
    if Path(name).is_dir():
        return Folder(Path(name), watch, seed)
    if name.startswith(GENICAM):
        from trialsight_serving.camera.sources.genicam import Genicam

        return Genicam(name.removeprefix(GENICAM), encode)
    if VIDEO.match(name) or Path(name).suffix.lower() in (".avi", ".mp4", ".mkv", ".mov"):
        return Video(name.removeprefix("video:"), encode)
    base, _, line = name.partition(":")
    if base in known():
        return Named(base, seed or 0, defect_share, line or None)
    raise TrialsightError(
        f"--source {name} is neither a folder nor a source",
        f"give a folder, video:0, rtsp://…, genicam:PRODUCER.cti, or one of: {', '.join(known()) or 'none'}",
    )


@dataclass(frozen=True)
class Limited:
    source: Source
    count: int

    @property
    def live(self) -> bool:
        return self.source.live

    def frames(self, took: Callable[[str], bool], stop: Event) -> Iterator[CameraFrame]:
        return islice(self.source.frames(took, stop), self.count)


def limited(source: Source, count: int | None) -> Source:
    return source if count is None else Limited(source, count)


__all__ = ["Source", "limited", "open_source"]
