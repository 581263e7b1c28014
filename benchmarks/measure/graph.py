"""A package's graph alone, fed with one prepared frame: what ONNX Runtime takes for it, and nothing of ours."""

import json
from pathlib import Path

import numpy as np

from trialsight.detector import Detector
from trialsight.package import CARD, GRAPH


class Graph:
    """`size_px`: (width, height) of its input. `bank`: patches in its memory. `metrics`: of `variant`, where
    the package has it. The frame is noise."""

    def __init__(self, package: Path, variant: str | None = None) -> None:
        # As plain JSON: a card is read by whatever version of the project trained it, this may be another.
        card = json.loads((package / CARD).read_text(encoding="utf-8"))
        self.size_px: tuple[int, int] = (card["preparation"]["width_px"], card["preparation"]["height_px"])
        self.bank = int(card["detector"].get("bank", 0))
        found = next((one for one in card.get("variants", []) if one["name"] == variant), None)
        self.metrics: dict[str, float | None] | None = None if found is None else found["metrics"]
        self._detector = Detector(package / (GRAPH if found is None else found["file"]))
        self._frame = np.random.default_rng(0).integers(0, 256, (*self.size_px[::-1], 3), np.uint8)

    def run(self) -> None:
        self._detector.run(self._frame)
