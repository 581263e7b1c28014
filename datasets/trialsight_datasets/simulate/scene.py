"""One view of one part: fresh brushed metal, a pose within the fixture's play, and the lamp of the moment."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight_datasets.simulate.part import Floats, Part, Surface

Window = tuple[slice, slice]  # rows and columns of the part
WHOLE: Window = (slice(None), slice(None))
METAL_TINT = (1.0, 0.985, 0.955)  # RGB; warm steel under a white lamp
TEXTURE = 0.085  # standard deviation of the brushing, as a share of the metal's brightness


@dataclass(frozen=True)
class Pose:
    """How the part lies in the frame: shift in px, turn in degrees, scale."""

    dx_px: float
    dy_px: float
    turn_deg: float
    scale: float

    @classmethod
    def draw(cls, rng: np.random.Generator, size_px: int) -> "Pose":
        dx, dy = rng.uniform(-0.007, 0.007, 2) * size_px
        return cls(float(dx), float(dy), float(rng.uniform(-1, 1)), float(rng.uniform(0.996, 1.004)))

    def matrix(self, size_px: int) -> NDArray[np.float64]:
        """(2, 3) affine from part coordinates to frame coordinates."""
        centre = (size_px - 1) / 2
        matrix = np.asarray(cv2.getRotationMatrix2D((centre, centre), self.turn_deg, self.scale), np.float64)
        matrix[:, 2] += (self.dx_px, self.dy_px)
        return matrix


def brushed(rng: np.random.Generator, size_px: int) -> Floats:
    """(S, S) float32 of mean 0 and standard deviation near 1: streaks along x of three lengths, and a slow cloud."""
    texture = np.zeros((size_px, size_px), np.float32)
    for length, share in ((0.25, 0.55), (0.05, 0.6), (0.01, 0.5)):
        columns = max(4, round(1 / length)) + 2
        streaks = rng.standard_normal((size_px, columns), np.float32)
        texture += np.float32(share) * _stretch(streaks, size_px, cv2.INTER_LINEAR)
    cloud = _stretch(rng.standard_normal((6, 6), np.float32), size_px, cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(texture, (1, 3), 0.6) + np.float32(0.35) * cloud, np.float32)


def _stretch(noise: Floats, size_px: int, interpolation: int) -> Floats:
    return np.asarray(cv2.resize(noise, (size_px, size_px), interpolation=interpolation), np.float32)


def draw_sheen(rng: np.random.Generator, size_px: int) -> Floats:
    """(S, 1): brushing scatters light across its direction, so a lamp shows as a band along it."""
    y = np.linspace(-0.5, 0.5, size_px, dtype=np.float32)[:, np.newaxis]
    centre, strength = rng.uniform(-0.14, -0.08), rng.uniform(0.26, 0.32)
    return np.asarray(strength * np.exp(-(((y - centre) / 0.22) ** 2)) - 0.08, np.float32)


def draw_light(rng: np.random.Generator, size_px: int) -> Floats:
    """(S, S, 1): brightness falls off away from the lamp; its level and place drift a little."""
    axis = np.linspace(-0.5, 0.5, size_px, dtype=np.float32)
    angle, slope = rng.normal(np.deg2rad(231), np.deg2rad(4)), rng.uniform(0.24, 0.32)
    level = rng.uniform(0.97, 1.03)
    plane = slope * (np.cos(angle) * axis[np.newaxis, :] + np.sin(angle) * axis[:, np.newaxis])
    return np.asarray(level * (1 + plane), np.float32)[..., np.newaxis]


@dataclass(frozen=True)
class Scene:
    """All that is drawn by lot for one view, so that a defective part can be compared with its own good twin."""

    part: Part
    pose: Pose
    texture: Floats
    sheen: Floats
    light: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, part: Part) -> "Scene":
        size = part.size_px
        return cls(part, Pose.draw(rng, size), brushed(rng, size), draw_sheen(rng, size), draw_light(rng, size))

    def paint(self, surface: Surface, window: Window = WHOLE) -> Floats:
        """(h, w, 3) linear RGB of a window on the part, in its own coordinates."""
        brushing = np.float32(TEXTURE) * self.texture[window] + self.sheen[window[0]]
        gray = surface.reflectance[window] * (1 + surface.metal[window] * brushing)
        return np.asarray(gray[..., np.newaxis] * np.array(METAL_TINT, np.float32), np.float32)

    def view(self, painted: Floats) -> Floats:
        """The painted part as it lies in the frame, under the lamp: (S, S, 3) linear RGB."""
        return np.asarray(self._place(painted) * self.light, np.float32)

    def view_mask(self, support: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The frame's pixels that draw on any pixel of `support` (part coordinates), with the view's own weights."""
        return np.asarray(self._place(support.astype(np.float32)) > 0, np.bool_)

    def _place(self, image: Floats) -> Floats:
        size = (self.part.size_px, self.part.size_px)
        matrix = self.pose.matrix(self.part.size_px)
        return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.float32)
