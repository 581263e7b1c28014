"""Calibration targets as files: read a picture of one, or write one to print."""

from pathlib import Path

import cv2
import numpy as np

from trialsight.errors import TrialsightError
from trialsight.files import write_atomic
from trialsight.geometry.target import Calibrated, Target, calibrate, draw_target
from trialsight.image import Limits, check_header, decode


def calibrate_file(path: Path, target: Target) -> Calibrated:
    """Raises TrialsightError where the file can't be read, FrameError for no image, and where no target is seen."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TrialsightError(f"{path} can't be read: {error.strerror}") from error
    return calibrate(decode(data, check_header(data, Limits())), target)


def write_target(target: Target, path: Path) -> None:
    """The target as a PNG."""
    write_atomic(path, np.asarray(cv2.imencode(".png", draw_target(target))[1]).tobytes())
