"""The camera: lens, exposure, vignetting, shot and read noise, tone curve, JPEG. After the EMVA 1288 linear model."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight_datasets.simulate.part import Floats

FAINT = 0.02  # share of a defect's own light below which nobody could see that a blurred pixel shows it


@dataclass(frozen=True)
class Camera:
    """`exposure` multiplies the light. `vignetting`: share of light lost in the corners. `full_well_e` and
    `read_noise_e` in electrons: a bright pixel has noise sqrt(full_well_e), a dark one `read_noise_e`. `distortion`:
    k1 and k2 of Brown's radial model (Brown 1966), for radii in half sides. `defocus`: deviation of the blur, and
    `motion`: how far the part goes along x while the shutter is open, both as shares of the frame's side."""

    exposure: float = 1.0
    vignetting: float = 0.18
    full_well_e: float = 9000.0
    read_noise_e: float = 12.0
    jpeg_quality: int = 92
    distortion: tuple[float, float] = (0.0, 0.0)
    defocus: float = 0.0
    motion: float = 0.0

    def __post_init__(self) -> None:
        if self.exposure <= 0 or self.full_well_e <= 0 or not 0 <= self.vignetting < 1:
            raise ValueError("exposure and full_well_e must be above 0, vignetting in 0..1")
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality must lie between 1 and 100, got {self.jpeg_quality}")
        if not 0 <= self.defocus <= 0.1 or not 0 <= self.motion <= 0.2:
            raise ValueError("defocus must lie between 0 and 0.1, motion between 0 and 0.2")
        if not all(-0.5 <= k <= 0.5 for k in self.distortion):
            raise ValueError(f"distortion must lie between -0.5 and 0.5, got {self.distortion}")

    def look(self, light: Floats) -> Floats:
        """(H, W, 3) linear RGB from the scene to the sensor: bent, out of focus, smeared."""
        if any(self.distortion):
            light = self._bend(light)
        if self.defocus:
            light = np.asarray(cv2.GaussianBlur(light, (0, 0), self.defocus * light.shape[0]), np.float32)
        if self.motion:
            light = np.asarray(cv2.blur(light, (max(1, round(self.motion * light.shape[1])), 1)), np.float32)
        return light

    def look_mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(H, W): where the sensor sees anything of what `mask` marks in the scene."""
        if not (any(self.distortion) or self.defocus or self.motion):
            return mask
        seen = self.look(np.asarray(mask, np.float32))
        return np.asarray(seen > (FAINT if self.defocus or self.motion else 0), np.bool_)

    def expose(self, light: Floats) -> Floats:
        """(H, W, 3) linear RGB as it reaches the sensor, without noise; 1 is full well."""
        return np.asarray(
            light * (self.exposure * _falloff(light.shape[0], light.shape[1], self.vignetting)), np.float32
        )

    def develop(self, exposed: Floats) -> NDArray[np.uint8]:
        """Linear to 8 bit by a square-root tone curve, which is near sRGB's and spends codes where noise is."""
        return np.asarray(cv2.convertScaleAbs(np.sqrt(np.clip(exposed, 0, 1)), alpha=255), np.uint8)

    def capture(self, light: Floats, rng: np.random.Generator) -> bytes:
        """(H, W, 3) linear RGB at the sensor to a JPEG as the camera sends it."""
        exposed = self.expose(light)
        deviation = np.sqrt(np.maximum(exposed, 0) / self.full_well_e + (self.read_noise_e / self.full_well_e) ** 2)
        exposed += deviation * rng.standard_normal(exposed.shape, np.float32)
        bgr = cv2.cvtColor(self.develop(exposed), cv2.COLOR_RGB2BGR)
        return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality])[1].tobytes()

    def _bend(self, image: Floats) -> Floats:
        maps = _radial(image.shape[0], image.shape[1], *self.distortion)
        return np.asarray(cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


@lru_cache(maxsize=8)
def _radial(height: int, width: int, k1: float, k2: float) -> tuple[Floats, Floats]:
    """Where in the undistorted picture each pixel looks."""
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, np.newaxis]
    x = np.linspace(-1, 1, width, dtype=np.float32)[np.newaxis, :]
    r2 = x * x + y * y
    factor = 1 + k1 * r2 + k2 * r2 * r2
    map_x = np.asarray((x * factor + 1) / 2 * (width - 1), np.float32)
    map_y = np.asarray((y * factor + 1) / 2 * (height - 1), np.float32)
    return map_x, map_y


def _falloff(height: int, width: int, vignetting: float) -> Floats:
    """(H, W, 1): 1 at the centre, `1 - vignetting` in the corners, falling with the square of the distance."""
    rows = np.linspace(-1, 1, height, dtype=np.float32) ** 2
    columns = np.linspace(-1, 1, width, dtype=np.float32) ** 2
    return np.asarray(1 - np.float32(vignetting / 2) * np.add.outer(rows, columns), np.float32)[..., np.newaxis]
