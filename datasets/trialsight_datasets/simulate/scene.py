"""One view of one part: its own fresh surface, a pose within the fixture's play, and the lamps of the moment."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight_datasets.simulate.material import draw_grain, draw_sheen, grain_of, tint_of
from trialsight_datasets.simulate.part import Floats, Part, Surface

Window = tuple[slice, slice]  # rows and columns of the part
WHOLE: Window = (slice(None), slice(None))
PLAY, TURN_DEG = 0.007, 1.0  # of the usual fixture: shares of the frame's side, and degrees


@dataclass(frozen=True)
class Pose:
    """How the part lies in the frame: shift in px, turn in degrees, scale."""

    dx_px: float
    dy_px: float
    turn_deg: float
    scale: float

    @classmethod
    def draw(cls, rng: np.random.Generator, size_px: int, play: float = PLAY, turn_deg: float = TURN_DEG) -> "Pose":
        dx, dy = rng.uniform(-play, play, 2) * size_px
        return cls(float(dx), float(dy), float(rng.uniform(-turn_deg, turn_deg)), float(rng.uniform(0.996, 1.004)))

    def matrix(self, size_px: int) -> NDArray[np.float64]:
        """(2, 3) affine from part coordinates to frame coordinates."""
        centre = (size_px - 1) / 2
        matrix = np.asarray(cv2.getRotationMatrix2D((centre, centre), self.turn_deg, self.scale), np.float64)
        matrix[:, 2] += (self.dx_px, self.dy_px)
        return matrix


def draw_light(rng: np.random.Generator, part: Part) -> Floats:
    """(S, S, 1 or 3): brightness falls off away from a bar; its level and place drift a little."""
    axis = np.linspace(-0.5, 0.5, part.size_px, dtype=np.float32)
    bars = [lamp for lamp in part.lamps if lamp.kind == "bar"]
    mean_deg = bars[0].angle_deg if bars else 231.0
    angle, slope = rng.normal(np.deg2rad(mean_deg), np.deg2rad(4)), rng.uniform(0.24, 0.32)
    level = rng.uniform(0.97, 1.03)
    if len(bars) < len(part.lamps):
        slope *= sum(lamp.strength for lamp in bars) / sum(lamp.strength for lamp in part.lamps)
    plane = slope * (np.cos(angle) * axis[np.newaxis, :] + np.sin(angle) * axis[:, np.newaxis])
    light = np.asarray(level * (1 + plane), np.float32)[..., np.newaxis]
    colour = np.average([lamp.colour for lamp in part.lamps], axis=0, weights=[lamp.strength for lamp in part.lamps])
    return light if (colour == 1).all() else light * colour.astype(np.float32)


@dataclass(frozen=True)
class Scene:
    """All that is drawn by lot for one view, so that a defective part can be compared with its own good twin."""

    part: Part
    pose: Pose
    texture: Floats
    sheen: Floats
    light: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, part: Part, play: float = PLAY, turn_deg: float = TURN_DEG) -> "Scene":
        size, material = part.size_px, part.material
        pose, grain = Pose.draw(rng, size, play, turn_deg), draw_grain(rng, material, size)
        return cls(part, pose, grain, draw_sheen(rng, material, size), draw_light(rng, part))

    def paint(self, surface: Surface, window: Window = WHOLE) -> Floats:
        """(h, w, 3) linear RGB of a window on the part, in its own coordinates."""
        grain = np.float32(grain_of(self.part.material)) * self.texture[window] + self.sheen[window[0]]
        gray = surface.reflectance[window] * (1 + surface.metal[window] * grain)
        return np.asarray(gray[..., np.newaxis] * np.array(tint_of(self.part.material), np.float32), np.float32)

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
