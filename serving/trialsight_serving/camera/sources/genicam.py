"""Industrial cameras by GenICam (EMVA), through harvesters and the maker's GenTL producer (a .cti file)."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import cv2
import numpy as np
import structlog

from trialsight.errors import TrialsightError
from trialsight.source import CameraFrame
from trialsight_serving.camera.sources.encode import encode_frame

log = structlog.get_logger(__name__)
_AGAIN_S = 2.0
_FETCH_S = 5.0
# What OpenCV makes BGR or gray of; GenICam's names count from the first pixel, OpenCV's from the second row's second.
_BAYER = {
    "BayerRG8": cv2.COLOR_BayerRGGB2BGR,
    "BayerGR8": cv2.COLOR_BayerGRBG2BGR,
    "BayerGB8": cv2.COLOR_BayerGBRG2BGR,
    "BayerBG8": cv2.COLOR_BayerBGGR2BGR,
}


class Genicam:
    """`name`: PRODUCER.cti, or PRODUCER.cti#SERIAL where it finds several cameras."""

    live = True

    def __init__(self, name: str, encode: str) -> None:
        producer, _, self._serial = name.partition("#")
        self._producer, self._encode = Path(producer), encode
        try:
            from harvesters.core import Harvester
        except ImportError as error:
            raise TrialsightError(
                "GenICam cameras need harvesters, which isn't installed", "pip install 'trialsight[genicam]'"
            ) from error
        if not self._producer.is_file():
            raise TrialsightError(
                f"GenTL producer {self._producer} does not exist", "the camera's maker gives a .cti file for it"
            )
        self._harvester: Any = Harvester()
        self._harvester.add_file(str(self._producer))

    def frames(self, took: Callable[[str], bool], stop: Event) -> Iterator[CameraFrame]:
        del took
        try:
            while not stop.is_set():
                try:
                    yield from self._acquire(stop)
                except Exception as error:  # producers raise what they like; the camera may come back
                    log.warning("camera away", producer=self._producer.name, problem=str(error), again_in_s=_AGAIN_S)
                    stop.wait(_AGAIN_S)
        finally:
            self._harvester.reset()

    def _acquire(self, stop: Event) -> Iterator[CameraFrame]:
        self._harvester.update()
        wanted = {"serial_number": self._serial} if self._serial else 0
        camera = self._harvester.create(wanted)
        try:
            camera.start()
            while not stop.is_set():
                with camera.fetch(timeout=_FETCH_S) as buffer:
                    pixels = _pixels(buffer.payload.components[0])
                    now = datetime.now(UTC)
                data, content_type = encode_frame(pixels, self._encode)
                yield CameraFrame(data, content_type, f"{now:%Y%m%d-%H%M%S-%f}", None, now)
        finally:
            camera.destroy()


def _pixels(component: Any) -> Any:
    """BGR or gray, copied out of the producer's buffer. Raises TrialsightError for a format that isn't known."""
    kind, height, width = component.data_format, component.height, component.width
    if kind == "Mono8":
        return component.data.reshape(height, width).copy()
    if kind in ("Mono10", "Mono12", "Mono16"):
        shift = {"Mono10": 6, "Mono12": 4, "Mono16": 0}[kind]
        return (component.data.reshape(height, width).astype(np.uint16) << shift).copy()
    if kind in _BAYER:
        return cv2.cvtColor(component.data.reshape(height, width), _BAYER[kind])
    if kind in ("RGB8", "BGR8"):
        pixels = component.data.reshape(height, width, 3)
        return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if kind == "RGB8" else pixels.copy()
    raise TrialsightError(f"pixel format {kind} is not taken", f"set the camera to Mono8, RGB8 or {next(iter(_BAYER))}")
