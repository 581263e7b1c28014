"""Defects, painted on the part in its own coordinates; the canvas notes exactly which pixels each one touched.

`severity` 0..1 sets size and contrast; at the default anybody sees it at a glance, near 0 it is a hard case.
"""

from collections.abc import Callable

import cv2
import numpy as np

from trialsight_datasets.simulate.brush import Canvas, Spot, on_face, on_outline, stroke
from trialsight_datasets.simulate.part import FIXTURE, Floats

DEFAULT_SEVERITY = 0.7
STEEL, FRACTURE = np.array([0.95, 0.95, 0.95]), np.array([0.5, 0.49, 0.48])
ABSORBED = np.array([0.66, 0.8, 0.97])  # RGB: dried coolant swallows blue first

Painter = Callable[[Canvas, np.random.Generator, float], None]


def scratch(canvas: Canvas, rng: np.random.Generator, severity: float) -> None:
    """A tool dragged across the face: a bright torn groove with a dark flank, slightly bent."""
    size = canvas.part.size_px
    length = size * rng.uniform(0.12, 0.2) * (0.5 + severity)
    angle = rng.uniform(0.25, np.pi - 0.25)  # never along the brushing, where it would hide
    bend = rng.normal(0, 0.06) * length
    x, y = on_face(canvas.part, rng, 0.03 * size)
    t = np.linspace(-0.5, 0.5, 24)
    along, across = t * length, bend * (1 - 4 * t * t)
    cos, sin = np.cos(angle), np.sin(angle)
    points = np.stack([x + along * cos - across * sin, y + along * sin + across * cos], axis=-1)
    width = size * (0.003 + 0.005 * severity)
    window = Spot(size, x, y, length / 2 + abs(bend) + 2 * width).window
    metal = canvas.part.complete.inside_px[window] > 1
    groove = stroke(size, points, width)[window] * metal
    flank = stroke(size, points + 0.9 * width * np.array([sin, -cos]), width)[window] * metal
    canvas.multiply(window, 1 - (0.35 + 0.4 * severity) * flank, flank > 0)
    canvas.blend(window, (0.4 + 0.6 * severity) * groove, STEEL)


def dent(canvas: Canvas, rng: np.random.Generator, severity: float) -> None:
    """A blow: a bowl whose wall towards the lamp lies in shadow and whose far wall glints."""
    size = canvas.part.size_px
    radius = size * rng.uniform(0.045, 0.058) * (0.5 + 0.7 * severity)
    x, y = on_face(canvas.part, rng, 0.9 * radius)
    turn = rng.uniform(0, np.pi)
    spot = Spot(size, x, y, radius, turn, rng.uniform(0.75, 1.0))
    u, v = spot.uv
    reach = spot.distance
    inside = (reach < 1) & (canvas.part.complete.inside_px[spot.window] > 0.5)
    wall = reach * np.maximum(1 - reach**2, 0) ** 2 / 0.286  # slope: 0 at the centre and the rim, 1 halfway
    light = canvas.part.toward
    lamp_u = np.cos(turn) * light[0] + np.sin(turn) * light[1]
    lamp_v = np.cos(turn) * light[1] - np.sin(turn) * light[0]
    toward = (u * lamp_u + v * lamp_v) / np.maximum(reach, 1e-6)
    strength = 0.4 + 0.65 * severity
    shade = 1 - strength * wall * toward - 0.3 * strength * np.maximum(1 - reach**2, 0) ** 2
    canvas.multiply(spot.window, np.clip(shade, 0.08, 2.2), inside)


def stain(canvas: Canvas, rng: np.random.Generator, severity: float) -> None:
    """Dried coolant: a brown film with ragged outline and a darker rim, through which the brushing still shows."""
    size = canvas.part.size_px
    radius = size * rng.uniform(0.05, 0.075) * (0.55 + 0.65 * severity)
    x, y = on_face(canvas.part, rng, 0.02 * size)
    spot = Spot(size, x, y, radius, rng.uniform(0, np.pi), rng.uniform(0.6, 1.0), reach=1.7)
    edge_px = spot.ragged_px(rng, range(2, 9), 0.25)
    film = np.clip(edge_px / 1.5, 0, 1) * (canvas.part.complete.inside_px[spot.window] > 0.5)
    rim = np.exp(-(((edge_px - 1.5) / (0.1 * radius)) ** 2))
    uneven = _grain(rng, film.shape, 9)
    opacity = film * np.clip((0.22 + 0.55 * severity) * (0.85 + 0.25 * rim + 0.08 * uneven), 0, 1)
    canvas.multiply(spot.window, 1 - opacity[..., np.newaxis] * ABSORBED, film > 0)


def chip(canvas: Canvas, rng: np.random.Generator, severity: float) -> None:
    """A piece broken from the plate's edge: the fixture behind it shows, and a rough fracture along the break."""
    part = canvas.part
    radius = part.size_px * rng.uniform(0.045, 0.065) * (0.5 + 0.7 * severity)
    spot = Spot(part.size_px, *on_outline(part, rng), radius, reach=1.5)
    depth_px = spot.ragged_px(rng, range(2, 10), 0.22)
    plate = part.complete.outline_px[spot.window] > -1  # the outermost half-covered pixel goes as well
    bite = np.clip(depth_px + 0.5, 0, 1) * plate
    behind = bite * (part.complete.metal[spot.window] > 0)
    canvas.blend(spot.window, behind, np.full(3, 0.6 * FIXTURE))
    metal = part.complete.inside_px[spot.window] > 0.5
    face = np.clip(1 - depth_px / (0.35 * radius), 0, 1) * bite * metal
    rough = np.clip(0.65 + 0.25 * _grain(rng, face.shape, 3), 0.1, 1)
    canvas.blend(spot.window, np.sqrt(face) * 0.9, rough[..., np.newaxis] * FRACTURE)


def missing_hole(canvas: Canvas, rng: np.random.Generator, severity: float) -> None:
    """One of the holes was never drilled; below severity 0.5 it was begun and shows as a shallow pit."""
    part = canvas.part
    drilled = part.product.drilled
    name = drilled[rng.integers(len(drilled))]
    x, y, radius = part.hole_px(name)
    spot = Spot(part.size_px, x, y, radius, reach=1 + part.product.chamfer * part.size_px / radius)
    lacking = part.without(name)
    pit = 1 - 0.9 * np.clip(1 - 2 * severity, 0, 1) * np.clip((0.9 - spot.distance) * 6, 0, 1)
    filled = canvas.scene.paint(lacking, spot.window) * pit[..., np.newaxis]
    changed = lacking.reflectance[spot.window] != part.complete.reflectance[spot.window]
    canvas.blend(spot.window, changed.astype(np.float32), filled)


PAINTERS: dict[str, Painter] = {
    "scratch": scratch,
    "dent": dent,
    "stain": stain,
    "chip": chip,
    "missing_hole": missing_hole,
}
KINDS = tuple(PAINTERS)


def _grain(rng: np.random.Generator, shape: tuple[int, ...], coarseness_px: int) -> Floats:
    """(h, w) float32 noise of deviation near 1 whose grains are about `coarseness_px` wide."""
    height, width = shape[0], shape[1]
    small = rng.standard_normal((height // coarseness_px + 2, width // coarseness_px + 2), np.float32)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
