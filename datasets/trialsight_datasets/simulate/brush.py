"""What defects are painted with: a spot on the part with its own coordinates, and ways to change its pixels."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight_datasets.simulate.part import Floats, Part
from trialsight_datasets.simulate.scene import Scene, Window


@dataclass(frozen=True)
class Canvas:
    """A painted part, changed in place: `rgb` (S, S, 3) linear. `touched` (S, S) collects the pixels changed."""

    scene: Scene
    rgb: Floats
    touched: NDArray[np.bool_]

    @property
    def part(self) -> Part:
        return self.scene.part

    def multiply(self, window: Window, factor: NDArray[np.floating], where: NDArray[np.bool_]) -> None:
        """Darken or brighten: `factor` (h, w) or (h, w, 3), only `where` (h, w) holds."""
        factor = factor if factor.ndim == 3 else factor[..., np.newaxis]
        self.rgb[window] *= np.where(where[..., np.newaxis], factor, 1).astype(np.float32)
        self.touched[window] |= where

    def blend(self, window: Window, opacity: NDArray[np.floating], rgb: NDArray[np.floating]) -> None:
        """Cover with `rgb`, (3,) or (h, w, 3); `opacity` (h, w) 0..1."""
        alpha = np.asarray(opacity, np.float32)[..., np.newaxis]
        self.rgb[window] += alpha * (np.asarray(rgb, np.float32) - self.rgb[window])
        self.touched[window] |= opacity > 0


@dataclass(frozen=True)
class Spot:
    """A place on the part: centre x, y in px, `radius_px` as the unit of u and v, turned by `turn` radians and
    squeezed across by `aspect`. It sees out to `reach` radii."""

    size_px: int
    x: float
    y: float
    radius_px: float
    turn: float = 0.0
    aspect: float = 1.0
    reach: float = 1.0

    @cached_property
    def window(self) -> Window:
        half = self.radius_px * self.reach + 2
        return _span(self.y, half, self.size_px), _span(self.x, half, self.size_px)

    @cached_property
    def uv(self) -> tuple[Floats, Floats]:
        """(h, w) each: coordinates along and across, in radii."""
        rows, columns = self.window
        dx = (np.arange(columns.start, columns.stop)[np.newaxis, :] - self.x) / self.radius_px
        dy = (np.arange(rows.start, rows.stop)[:, np.newaxis] - self.y) / self.radius_px
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        return np.asarray(cos * dx + sin * dy, np.float32), np.asarray((cos * dy - sin * dx) / self.aspect, np.float32)

    @cached_property
    def distance(self) -> Floats:
        """(h, w): from the centre, in radii."""
        return np.asarray(np.hypot(*self.uv), np.float32)

    def ragged_px(self, rng: np.random.Generator, waves: range, amplitude: float) -> Floats:
        """(h, w): distance inwards from an irregular outline near radius 1, in px; negative outside."""
        angle = np.arctan2(self.uv[1], self.uv[0])
        outline = np.ones_like(angle)
        for wave in waves:
            outline += rng.normal(0, amplitude / wave) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
        outline = np.clip(outline, 0.5, self.reach)
        return np.asarray((outline - self.distance) * self.radius_px, np.float32)


def stroke(size_px: int, points: NDArray[np.floating], width_px: float) -> Floats:
    """(S, S) 0..1: an antialiased line through `points` (n, 2), `width_px` wide at its middle and thin at its ends."""
    canvas = np.zeros((size_px, size_px), np.uint8)
    shift = 4  # fractional bits of the coordinates
    fixed = np.round(points * (1 << shift)).astype(np.int32)
    for index in range(len(fixed) - 1):
        taper = np.sin(np.pi * (index + 1) / len(fixed)) ** 0.5
        start, end = fixed[index].tolist(), fixed[index + 1].tolist()
        cv2.line(canvas, start, end, 255, max(1, round(width_px * taper)), cv2.LINE_AA, shift)
    return np.asarray(canvas, np.float32) / np.float32(255)


def on_face(part: Part, rng: np.random.Generator, margin_px: float) -> tuple[float, float]:
    """A point x, y drawn from the metal at least `margin_px` from any edge."""
    return _pick(rng, part.complete.inside_px > margin_px)


def on_outline(part: Part, rng: np.random.Generator) -> tuple[float, float]:
    """A point x, y drawn from the plate's outer edge."""
    return _pick(rng, np.abs(part.complete.outline_px) < 0.71)


def _pick(rng: np.random.Generator, allowed: NDArray[np.bool_]) -> tuple[float, float]:
    places = np.flatnonzero(allowed)
    y, x = divmod(int(places[rng.integers(len(places))]), allowed.shape[1])
    return float(x), float(y)


def _span(centre: float, half: float, size: int) -> slice:
    return slice(max(0, int(centre - half)), min(size, int(centre + half) + 2))
