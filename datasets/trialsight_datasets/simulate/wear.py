"""What ages on a line: the lamp, the lens, the fixture. Each moves what the camera sees in its own way."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from trialsight_datasets.simulate.part import Floats
from trialsight_datasets.simulate.scene import Pose

DIMS = np.array((0.9, 1.0, 1.3), np.float32)  # RGB: how much faster a lamp loses its blue than its red


@dataclass(frozen=True)
class Wear:
    """`lamp`: share of the light that is lost. `lens`: blur, deviation as a share of the frame's side. `shift_x`,
    `shift_y`: how far the fixture has slipped, as shares of the frame's side; `turn_deg`: how far it has turned."""

    lamp: float = 0.0
    lens: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    turn_deg: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.lamp < 0.7 or self.lens < 0:
            raise ValueError(f"a lamp loses 0 to 0.7 of its light and a lens blurs by 0 or more, not {self}")

    def place(self, pose: Pose, size_px: int) -> Pose:
        if not (self.shift_x or self.shift_y or self.turn_deg):
            return pose
        dx, dy = pose.dx_px + self.shift_x * size_px, pose.dy_px + self.shift_y * size_px
        return replace(pose, dx_px=dx, dy_px=dy, turn_deg=pose.turn_deg + self.turn_deg)

    def dim(self, light: Floats) -> Floats:
        """(H, W, 3) linear RGB as it reaches the sensor through this lamp and lens."""
        if self.lamp:
            light = np.asarray(light * (1 - self.lamp * DIMS), np.float32)
        if self.lens:
            light = np.asarray(cv2.GaussianBlur(light, (0, 0), self.lens * light.shape[0]), np.float32)
        return light

    def grown(self, share: float) -> "Wear":
        """The same wear when only `share` of it has come."""
        return Wear(*(getattr(self, name) * share for name in self.__dataclass_fields__))


NONE = Wear()
