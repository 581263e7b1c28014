"""Defects, painted on the part in its own coordinates. Each says exactly which pixels it touched.

`severity` 0..1 sets size and contrast; at the default anybody sees it at a glance, near 0 it is a hard case.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight_datasets.simulate.part import DRILLED, FIXTURE, LIGHT, Floats, Part
from trialsight_datasets.simulate.scene import Scene

DEFAULT_SEVERITY = 0.7


@dataclass(frozen=True)
class Canvas:
    """A painted part, changed in place: `rgb` (S, S, 3) linear."""

    scene: Scene
    rgb: Floats

    @property
    def part(self) -> Part:
        return self.scene.part


Painter = Callable[[Canvas, np.random.Generator, float], NDArray[np.bool_]]


def scratch(canvas: Canvas, rng: np.random.Generator, severity: float) -> NDArray[np.bool_]:
    """A tool dragged across the face: a bright torn groove with a dark flank, slightly bent."""
    size = canvas.part.size_px
    length = size * rng.uniform(0.12, 0.2) * (0.5 + severity)
    angle = rng.uniform(0.25, np.pi - 0.25)  # never along the brushing, where it would hide
    bend = rng.normal(0, 0.06) * length
    x, y = _place_on_face(canvas.part, rng, 0.03)
    t = np.linspace(-0.5, 0.5, 24)
    along, across = t * length, bend * (1 - 4 * t * t)
    points = np.stack(
        [x + along * np.cos(angle) - across * np.sin(angle), y + along * np.sin(angle) + across * np.cos(angle)], -1
    )
    width = size * (0.003 + 0.005 * severity)
    groove = _stroke(size, points, width)
    flank = _stroke(size, points + width * 0.9 * np.array([np.sin(angle), -np.cos(angle)]), width)
    on_metal = np.asarray(canvas.part.complete.inside_px > 1, np.float32)
    groove, flank = groove * on_metal, flank * on_metal
    _multiply(canvas, 1 - (0.35 + 0.4 * severity) * flank)
    _blend(canvas, groove * (0.4 + 0.6 * severity), (0.95, 0.95, 0.95))
    return np.asarray((groove > 0) | (flank > 0), np.bool_)


def dent(canvas: Canvas, rng: np.random.Generator, severity: float) -> NDArray[np.bool_]:
    """A blow: a bowl whose wall towards the lamp lies in shadow and whose far wall glints."""
    size = canvas.part.size_px
    radius = size * rng.uniform(0.034, 0.048) * (0.55 + 0.65 * severity)
    x, y = _place_on_face(canvas.part, rng, 1.1 * radius / size)
    u, v = _around(size, x, y, radius, rng.uniform(0, np.pi), rng.uniform(0.75, 1.0))
    reach = np.hypot(u, v)
    bowl = np.where(reach < 1, reach * (1 - reach**2) ** 2, 0) / 0.286  # slope of the wall; 0 at centre and rim
    direction = (u * LIGHT[0] + v * LIGHT[1]) / np.maximum(reach, 1e-6)
    strength = 0.35 + 0.6 * severity
    factor = 1 - strength * bowl * direction - 0.25 * strength * np.where(reach < 1, (1 - reach**2) ** 2, 0)
    _multiply(canvas, np.clip(factor, 0.08, 2.2))
    return np.asarray(reach < 1, np.bool_)


def stain(canvas: Canvas, rng: np.random.Generator, severity: float) -> NDArray[np.bool_]:
    """Dried coolant: a brown film with ragged outline and a darker rim, through which the brushing still shows."""
    size = canvas.part.size_px
    radius = size * rng.uniform(0.05, 0.075) * (0.55 + 0.65 * severity)
    x, y = _place_on_face(canvas.part, rng, 0.02)
    u, v = _around(size, x, y, radius, rng.uniform(0, np.pi), rng.uniform(0.6, 1.0))
    angle = np.arctan2(v, u)
    outline = np.ones_like(angle)
    for wave in range(2, 7):
        outline += rng.normal(0, 0.22 / wave) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    edge = (1 - np.hypot(u, v) / np.maximum(outline, 0.4)) * radius  # px inwards from the rim
    film = np.clip(edge / 1.5, 0, 1) * (canvas.part.complete.inside_px > 0.5)
    rim = np.exp(-((edge / (0.12 * radius)) ** 2))
    opacity = film * (0.25 + 0.6 * severity) * (0.8 + 0.2 * rim)
    _multiply(canvas, 1 - opacity[..., np.newaxis] * np.array([0.62, 0.78, 0.96], np.float32))
    return np.asarray(film > 0, np.bool_)


def chip(canvas: Canvas, rng: np.random.Generator, severity: float) -> NDArray[np.bool_]:
    """A piece broken from the plate's edge: what lay behind shows, with a rough bright fracture along the break."""
    size = canvas.part.size_px
    outline = canvas.part.complete.outline_px
    ys, xs = np.nonzero(np.abs(outline) < 0.71)
    at = rng.integers(len(xs))
    radius = size * rng.uniform(0.035, 0.055) * (0.5 + 0.7 * severity)
    u, v = _around(size, float(xs[at]), float(ys[at]), radius, 0.0, 1.0)
    angle = np.arctan2(v, u)
    ragged = np.ones_like(angle)
    for wave in range(2, 10):
        ragged += rng.normal(0, 0.3 / wave) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    depth = (np.maximum(ragged, 0.45) - np.hypot(u, v)) * radius  # px into the bite
    plate = np.asarray(canvas.part.complete.metal * (outline > -0.5), np.float32)
    bite = np.clip(depth + 0.5, 0, 1) * plate
    fracture = bite * np.clip(1 - depth / (0.3 * radius), 0, 1)
    grain = cv2.resize(rng.standard_normal((size // 3, size // 3), np.float32), (size, size))
    _blend(canvas, bite, (FIXTURE * 0.6,) * 3)
    _blend(canvas, fracture * np.clip(0.3 + 0.25 * grain, 0, 1), (0.62, 0.61, 0.6))
    return np.asarray(bite > 0, np.bool_)


def missing_hole(canvas: Canvas, rng: np.random.Generator, severity: float) -> NDArray[np.bool_]:
    """One of the four holes was never drilled; at low severity it was begun and shows as a shallow pit."""
    part = canvas.part
    name = DRILLED[rng.integers(len(DRILLED))]
    lacking = canvas.scene.paint(part.without(name))
    x, y, radius = part.hole_px(name)
    u, v = _around(part.size_px, x, y, radius, 0.0, 1.0)
    pit = 1 - 0.9 * np.clip(1 - 2 * severity, 0, 1) * np.clip((0.9 - np.hypot(u, v)) * 6, 0, 1)
    touched = np.asarray(part.without(name).inside_px > part.complete.inside_px, np.bool_)
    touched &= np.asarray(np.hypot(u, v) * radius < radius + 0.014 * part.size_px + 1.5, np.bool_)
    filled = lacking * np.where(touched, pit, 1)[..., np.newaxis]
    canvas.rgb[touched] = filled[touched]
    return touched


PAINTERS: dict[str, Painter] = {
    "scratch": scratch,
    "dent": dent,
    "stain": stain,
    "chip": chip,
    "missing_hole": missing_hole,
}
KINDS = tuple(PAINTERS)


def _place_on_face(part: Part, rng: np.random.Generator, margin: float) -> tuple[float, float]:
    """A point on the metal at least `margin` (a share of the frame) from any edge."""
    ys, xs = np.nonzero(part.complete.inside_px > margin * part.size_px)
    at = rng.integers(len(xs))
    return float(xs[at]), float(ys[at])


def _around(size: int, x: float, y: float, radius: float, turn: float, aspect: float) -> tuple[Floats, Floats]:
    """Coordinates centred at (x, y) in units of `radius`, turned, squeezed across by `aspect`."""
    dx = (np.arange(size, dtype=np.float32)[np.newaxis, :] - x) / radius
    dy = (np.arange(size, dtype=np.float32)[:, np.newaxis] - y) / radius
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    along, across = cos * dx + sin * dy, (cos * dy - sin * dx) / np.float32(aspect)
    return np.asarray(along, np.float32), np.asarray(across, np.float32)


def _stroke(size: int, points: NDArray[np.floating], width: float) -> Floats:
    """(S, S) 0..1: a tapering antialiased line through `points` (n, 2), `width` px at its middle."""
    fine = np.zeros((size, size), np.uint8)
    shift = 4
    fixed = np.round(points * (1 << shift)).astype(np.int32)
    for index in range(len(fixed) - 1):
        taper = np.sin(np.pi * (index + 1) / len(fixed)) ** 0.5
        thickness = max(1, round(width * taper))
        cv2.line(fine, fixed[index].tolist(), fixed[index + 1].tolist(), 255, thickness, cv2.LINE_AA, shift)
    return np.asarray(fine, np.float32) / np.float32(255)


def _multiply(canvas: Canvas, factor: NDArray[np.floating]) -> None:
    canvas.rgb[...] *= factor if factor.ndim == 3 else factor[..., np.newaxis]


def _blend(canvas: Canvas, opacity: NDArray[np.floating], rgb: tuple[float, ...]) -> None:
    alpha = np.asarray(opacity, np.float32)[..., np.newaxis]
    canvas.rgb[...] += alpha * (np.array(rgb, np.float32) - canvas.rgb)
