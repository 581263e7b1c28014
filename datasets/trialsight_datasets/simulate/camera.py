"""The camera: exposure, vignetting, shot and read noise, tone curve, JPEG. After the EMVA 1288 linear camera model."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight_datasets.simulate.part import Floats


@dataclass(frozen=True)
class Camera:
    """`exposure` multiplies the light. `vignetting`: share of light lost in the corners. `full_well_e` and
    `read_noise_e` in electrons: a bright pixel has noise sqrt(full_well_e), a dark one `read_noise_e`."""

    exposure: float = 1.0
    vignetting: float = 0.18
    full_well_e: float = 9000.0
    read_noise_e: float = 12.0
    jpeg_quality: int = 92

    def expose(self, light: Floats) -> Floats:
        """(H, W, 3) linear RGB as it reaches the sensor, without noise; 1 is full well."""
        return np.asarray(
            light * (self.exposure * _falloff(light.shape[0], light.shape[1], self.vignetting)), np.float32
        )

    def develop(self, exposed: Floats) -> NDArray[np.uint8]:
        """Linear to 8 bit by a square-root tone curve, which is near sRGB's and spends codes where noise is."""
        return np.asarray(cv2.convertScaleAbs(np.sqrt(np.clip(exposed, 0, 1)), alpha=255), np.uint8)

    def capture(self, light: Floats, rng: np.random.Generator) -> bytes:
        """(H, W, 3) linear RGB to a JPEG as the camera sends it."""
        exposed = self.expose(light)
        deviation = np.sqrt(np.maximum(exposed, 0) / self.full_well_e + (self.read_noise_e / self.full_well_e) ** 2)
        exposed += deviation * rng.standard_normal(exposed.shape, np.float32)
        bgr = cv2.cvtColor(self.develop(exposed), cv2.COLOR_RGB2BGR)
        return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality])[1].tobytes()


def _falloff(height: int, width: int, vignetting: float) -> Floats:
    """(H, W, 1): 1 at the centre, `1 - vignetting` in the corners, falling with the square of the distance."""
    rows = np.linspace(-1, 1, height, dtype=np.float32) ** 2
    columns = np.linspace(-1, 1, width, dtype=np.float32) ** 2
    return np.asarray(1 - np.float32(vignetting / 2) * np.add.outer(rows, columns), np.float32)[..., np.newaxis]
