"""The floor under an inspection: decode, resize, run, and nothing else. What our runtime adds is held against it."""

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from trialsight.detector import INPUT, OUTPUTS
from trialsight.errors import TrialsightError
from trialsight.package import Package

_REDUCED = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


class Bare:
    """A package's graph in a session with the runtime's own settings, behind the least code that can feed it."""

    def __init__(self, package: Package) -> None:
        preparation = package.card.preparation
        if preparation.crop_px is not None or preparation.registration is not None:
            raise TrialsightError("the bare path neither crops nor registers", "measure a recipe without both")
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(package.graph, options, providers=["CPUExecutionProvider"])
        self._size = (preparation.width_px, preparation.height_px)
        self._reduced = _REDUCED[preparation.reduced_decode]

    def __call__(self, data: bytes) -> float:
        """The score; map and score are both computed."""
        return self.run(data)[1]

    def run(self, data: bytes) -> tuple[NDArray[np.float32], float]:
        """The map (h, w) and the score."""
        is_jpeg = data[:2] == b"\xff\xd8"  # only JPEGs are decoded at a reduced scale
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | (self._reduced if is_jpeg else 0))
        if image is None:
            raise TrialsightError("a frame can't be decoded", "take it out of the set")
        frame = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
        defect_map, score = self._session.run(OUTPUTS, {INPUT: frame[np.newaxis]})
        return defect_map[0], float(score[0])
