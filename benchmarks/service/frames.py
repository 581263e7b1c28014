"""Frames as a camera takes them: no two alike, so that nothing is stored twice and nothing is spared."""

from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np

_QUALITY = 92


def distinct(files: Sequence[Path], wanted: int, folder: Path) -> list[Path]:
    """`wanted` JPEGs made of `files`: each moved by a few pixels and a little lighter or darker than any other."""
    folder.mkdir(parents=True)
    made = []
    for number, image in enumerate(islice(_variations(files), wanted)):
        path = folder / f"{number:05d}.jpg"
        path.write_bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())
        made.append(path)
    return made


def _variations(files: Sequence[Path]) -> Iterator[np.ndarray]:
    images = [image for file in files if (image := cv2.imread(str(file))) is not None]
    for lap in count():
        for image in images:
            dice = np.random.default_rng(lap)
            moved = np.roll(image, tuple(dice.integers(-3, 4, 2)), axis=(0, 1))
            yield cv2.convertScaleAbs(moved, alpha=1 + dice.uniform(-0.03, 0.03), beta=dice.uniform(-3, 3))
