"""What OpenCV can open as a video: USB and V4L2 cameras, network cameras (RTSP, MJPEG), films."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import cv2
import structlog

from trialsight.errors import TrialsightError
from trialsight.source import CameraFrame
from trialsight_serving.camera.sources.encode import encode_frame

log = structlog.get_logger(__name__)
_LONGEST_WAIT_S = 30.0
_TIMEOUT_MS = 5000


class Video:
    """A camera that goes away is opened again, with growing pauses; a film ends."""

    def __init__(self, name: str, encode: str) -> None:
        self._name, self._encode = name, encode
        self._film = Path(name).is_file()
        self.live = not self._film

    def frames(self, took: Callable[[str], bool], stop: Event) -> Iterator[CameraFrame]:
        """Raises TrialsightError for a film that can't be read."""
        pause_s, number = 0.5, 0
        while not stop.is_set():
            capture = self._open()
            try:
                while not stop.is_set():
                    ok, pixels = capture.read()
                    if not ok:
                        break
                    pause_s = 0.5
                    number += 1
                    now = datetime.now(UTC)
                    part = f"{Path(self._name).stem}-{number:06d}" if self._film else f"{now:%Y%m%d-%H%M%S-%f}"
                    origin = f"{Path(self._name).resolve()}\0{number}" if self._film else ""
                    if not (origin and took(origin)):
                        data, content_type = encode_frame(pixels, self._encode)
                        yield CameraFrame(data, content_type, part, None, now, origin)
            finally:
                capture.release()
            if self._film:
                if number == 0:
                    raise TrialsightError(f"{self._name} can't be read as a film", "try it in a player")
                return
            log.warning("camera away", source=plain_url(self._name), again_in_s=pause_s)
            stop.wait(pause_s)
            pause_s = min(_LONGEST_WAIT_S, pause_s * 2)

    def _open(self) -> cv2.VideoCapture:
        # RTSP over TCP: over UDP lost packets come out as smeared pictures, which look like defects.
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
        if self._name.isdigit() or self._name.startswith("/dev/video"):
            return cv2.VideoCapture(int(self._name.removeprefix("/dev/video")))
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT_MS]
        return cv2.VideoCapture(self._name, cv2.CAP_FFMPEG, limits)


def plain_url(url: str) -> str:
    """Without user and password."""
    scheme, _, rest = url.rpartition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if scheme else url
