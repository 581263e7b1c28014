"""The pictures of docs/virtual-line.md: `python scripts/virtual-line-pictures.py`."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight_datasets.simulate import Simulator, load_line
from trialsight_datasets.simulate.photo import PHOTO_KINDS, paint_on

ROOT = Path(__file__).resolve().parent.parent
SIDE, COLUMNS, SEED = 320, 4, 3
RED = (0, 0, 255)


def pixels(jpeg: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def lines() -> NDArray[np.uint8]:
    """A row a line: a good part, then defects with their masks' outlines."""
    rows = []
    for name in ("plate", "cast-lever", "printed-label"):
        simulator = Simulator(SEED, SIDE, line=load_line(ROOT / "configs" / "lines" / f"{name}.yaml"))
        kinds = (simulator.line.kinds * COLUMNS)[: COLUMNS - 1]
        frames = [simulator.good(0)]
        frames += [simulator.defective(number, kind, 0.8) for number, kind in enumerate(kinds, start=1)]
        shown = []
        for frame in frames:
            picture = pixels(frame.jpeg)
            outline, _ = cv2.findContours(frame.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            shown.append(cv2.drawContours(picture, outline, -1, RED, 1))
        rows.append(np.hstack(shown))
    return np.vstack(rows)


def pasted() -> NDArray[np.uint8]:
    """Painted on pictures that the painter knows nothing about, as a photograph would be."""
    rows = []
    for name in ("cast-lever", "plate"):
        simulator = Simulator(SEED, SIDE, line=load_line(ROOT / "configs" / "lines" / f"{name}.yaml"))
        shown = []
        for number in range(COLUMNS):
            photo = np.ascontiguousarray(pixels(simulator.good(10 + number).jpeg)[..., ::-1])
            kind = PHOTO_KINDS[number % len(PHOTO_KINDS)]
            picture, mask = paint_on(photo, kind, np.random.default_rng(number), 0.7)
            x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
            bgr = np.ascontiguousarray(picture[..., ::-1])
            shown.append(cv2.rectangle(bgr, (x - 4, y - 4), (x + width + 4, y + height + 4), RED, 1))
        rows.append(np.hstack(shown))
    return np.vstack(rows)


if __name__ == "__main__":
    folder = ROOT / "docs" / "images"
    folder.mkdir(exist_ok=True)
    for name, picture in (("virtual-line", lines()), ("pasted", pasted())):
        cv2.imwrite(str(folder / f"{name}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 82])
