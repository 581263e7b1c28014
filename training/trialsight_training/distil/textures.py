"""Surfaces and part-like drawings made from noise: what a line camera sees and everyday photographs lack.

Each maker takes a generator and a side in px and gives a gray field (side, side) float32; `texture` colours it, lights
it, draws on it and returns (side, side, 3) uint8 RGB. A seed fixes the picture.
"""

from collections.abc import Callable
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Picture = NDArray[np.uint8]


def texture(rng: np.random.Generator, side: int) -> Picture:
    """One surface (side, side, 3) uint8 RGB with lighting, and mostly with holes, shapes, scratches and grain on it."""
    field = _unit(MAKERS[int(rng.integers(len(MAKERS)))](rng, side))
    if rng.random() < 0.3:
        other = _unit(MAKERS[int(rng.integers(len(MAKERS)))](rng, side))
        mask = _unit(octaves(rng, side)) > rng.uniform(0.3, 0.7)
        field = cast(Field, np.where(mask, field, other) if rng.random() < 0.5 else (field + other) / 2)
    low, high = np.sort(rng.uniform(0, 1, (2, 3)), axis=0).astype(np.float32)
    if rng.random() < 0.6:  # most parts are gray: metal, ceramic, rubber
        low, high = (np.full(3, float(c.mean()), np.float32) for c in (low, high))
    contrast = rng.uniform(0.1, 1.0)
    picture = low + (high - low) * (0.5 + contrast * (field - 0.5))[..., None]
    for _ in range(int(rng.integers(0, 8))):
        picture = _draw(rng, picture)
    for _ in range(int(rng.integers(0, 6))):
        picture = _scratch(rng, picture)
    picture = picture * _lighting(rng, side)[..., None]
    picture += rng.normal(0, rng.uniform(0, 0.03), picture.shape)
    return cast(Picture, (picture.clip(0, 1) * 255).round().astype(np.uint8))


def blemished(rng: np.random.Generator, picture: Picture) -> Picture:
    """The same picture with one to three scratches, dents, holes or stains."""
    field = np.asarray(picture / 255, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        field = _scratch(rng, field) if rng.random() < 0.4 else _draw(rng, field, largest=0.15)
    return cast(Picture, (field.clip(0, 1) * 255).round().astype(np.uint8))


def octaves(rng: np.random.Generator, side: int) -> Field:
    """Noise whose power falls with frequency: clouds, casting skin, stains."""
    field, fall = np.zeros((side, side), np.float32), rng.uniform(0.4, 0.9)
    for octave in range(int(rng.integers(1, 4)), 8):
        cells = min(2**octave, side)
        grid = rng.standard_normal((cells, cells), dtype=np.float32)
        field += fall**octave * cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
    return field


def brushed(rng: np.random.Generator, side: int) -> Field:
    """Metal brushed in one direction."""
    noise = rng.standard_normal((2 * side, 2 * side), dtype=np.float32)
    streaks = _blurred(noise, rng.uniform(8, 60), rng.uniform(0.4, 1.5))
    return _turned(streaks, rng.uniform(0, 180), side)


def turned(rng: np.random.Generator, side: int) -> Field:
    """Concentric tool marks of a lathe or a polished disc."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    cy, cx = rng.uniform(-0.2, 1.2, 2) * side
    radius = np.hypot(y - cy, x - cx)
    profile = _blurred(rng.standard_normal((1, 4 * side), dtype=np.float32), rng.uniform(0.6, 4))
    wobble = octaves(rng, side) * rng.uniform(0, 2)
    return cast(Field, np.interp(radius + wobble, np.arange(4 * side), profile[0]).astype(np.float32))


def grating(rng: np.random.Generator, side: int) -> Field:
    """One or two gratings, sine or square: mesh, grid, weave, fins, threads."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    bend = octaves(rng, side) * rng.uniform(0, 4)
    angle, field = rng.uniform(0, np.pi), np.zeros((side, side), np.float32)
    for turn in range(int(rng.integers(1, 3))):
        a = angle + turn * np.pi / 2
        wave = np.sin(2 * np.pi * (x * np.cos(a) + y * np.sin(a) + bend) / rng.uniform(3, 40) + rng.uniform(0, 6))
        field += np.tanh(wave * rng.uniform(0.5, 6))
    return field


def cloth(rng: np.random.Generator, side: int) -> Field:
    """A woven cell repeated with small faults of thread."""
    period = int(rng.integers(4, 24))
    cell = _blurred(rng.standard_normal((period, period), dtype=np.float32), rng.uniform(0.5, 2))
    tiles = np.tile(cell, (3 * side // period, 3 * side // period))[: 2 * side, : 2 * side]
    return _turned(tiles, rng.uniform(0, 180), side) + octaves(rng, side) * rng.uniform(0, 0.3)


def grains(rng: np.random.Generator, side: int) -> Field:
    """Cells around scattered seeds: grain, leather, tiles, cracks along the borders."""
    seeds = np.full((side, side), 255, np.uint8)
    count = int(np.exp(rng.uniform(np.log(12), np.log(1500))))
    seeds[rng.integers(0, side, count), rng.integers(0, side, count)] = 0
    distance, label = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    if rng.random() < 0.5:
        return cast(Field, np.sqrt(distance.astype(np.float32)))
    shade = rng.standard_normal(int(label.max()) + 1).astype(np.float32)
    return cast(Field, shade[label])


def speckle(rng: np.random.Generator, side: int) -> Field:
    """Fine noise of one size over a flat ground: sand blast, powder coat, paper."""
    noise = rng.standard_normal((side, side), dtype=np.float32)
    size = rng.uniform(0.3, 3)
    return _blurred(noise, size) * np.float32(size)


def flat(rng: np.random.Generator, side: int) -> Field:
    """Nearly nothing: a plain ground under its lighting."""
    return octaves(rng, side) * 0.02 + np.float32(rng.uniform())


MAKERS: tuple[Callable[[np.random.Generator, int], Field], ...] = (
    octaves, brushed, turned, grating, cloth, grains, speckle, flat
)  # fmt: skip


def _unit(field: Field) -> Field:
    low, high = np.percentile(field, (1, 99))
    if high - low < 0.1:  # a flat field stays flat
        return cast(Field, (field - low + 0.5).clip(0, 1))
    return cast(Field, ((field - low) / (high - low)).clip(0, 1).astype(np.float32))


def _blurred(field: Field, sigma: float, sigma_y: float = 0.0) -> Field:
    return cast(Field, cv2.GaussianBlur(field, (0, 0), sigmaX=sigma, sigmaY=sigma_y))


def _turned(field: Field, degrees: float, side: int) -> Field:
    """The middle of a field at least 1.42 times as wide, turned."""
    middle = (field.shape[1] / 2, field.shape[0] / 2)
    matrix = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    full = cv2.warpAffine(field, matrix, field.shape[::-1], borderMode=cv2.BORDER_REFLECT)
    top, left = (field.shape[0] - side) // 2, (field.shape[1] - side) // 2
    return cast(Field, full[top : top + side, left : left + side])


def _lighting(rng: np.random.Generator, side: int) -> Field:
    """A slow gradient and sometimes a highlight, 0.4..1.6."""
    grid = rng.uniform(1 - (spread := rng.uniform(0, 0.5)), 1 + spread, (3, 3)).astype(np.float32)
    light = cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.3:
        y, x = np.mgrid[:side, :side].astype(np.float32)
        cy, cx = rng.uniform(0, side, 2)
        light = light + rng.uniform(0, 0.6) * np.exp(
            -((y - cy) ** 2 + (x - cx) ** 2) / (2 * (rng.uniform(0.03, 0.4) * side) ** 2)
        )
    return cast(Field, light.clip(0.4, 1.6).astype(np.float32))


def _draw(rng: np.random.Generator, picture: Field, largest: float = 0.45) -> Field:
    """A hole, ring, plate, bar or blob of another shade or another surface, with a shadowed rim at times.

    `largest`: its reach as a share of the side.
    """
    side = picture.shape[0]
    mask = np.zeros((side, side), np.uint8)
    centre = (int(rng.integers(side)), int(rng.integers(side)))
    reach = int(side * np.exp(rng.uniform(np.log(0.01), np.log(largest)))) + 1
    thick = -1 if rng.random() < 0.6 else int(rng.integers(1, 2 + reach // 4))
    kind = int(rng.integers(4))
    if kind == 0:
        cv2.circle(mask, centre, reach, 255, thick, cv2.LINE_AA)
    elif kind == 1:
        axes = (reach, max(1, int(reach * rng.uniform(0.1, 1))))
        cv2.ellipse(
            mask, centre, axes, float(rng.uniform(0, 180)), 0, float(rng.uniform(90, 360)), 255, thick, cv2.LINE_AA
        )
    else:
        corners = int(rng.integers(4, 5 if kind == 2 else 10))
        turn = (
            np.sort(rng.uniform(0, 2 * np.pi, corners)) if kind == 3 else np.arange(4) * np.pi / 2 + rng.uniform(0, 6)
        )
        far = reach * (rng.uniform(0.3, 1, corners) if kind == 3 else np.ones(corners))
        points = np.stack([centre[0] + far * np.cos(turn), centre[1] + far * np.sin(turn)], 1).astype(np.int32)
        if thick < 0:
            cv2.fillPoly(mask, [points], 255, cv2.LINE_AA)
        else:
            cv2.polylines(mask, [points], True, 255, thick, cv2.LINE_AA)
    alpha = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.3, 2.5)).astype(np.float32)[..., None] / 255
    shade = np.float32(rng.uniform(-0.5, 0.5)) if rng.random() < 0.7 else rng.uniform(-0.5, 0.5, 3).astype(np.float32)
    inside = rng.uniform(0.2, 1.0) * picture + shade
    if rng.random() < 0.3:
        inside = inside + 0.3 * (_unit(speckle(rng, side)) - 0.5)[..., None]
    return np.asarray(picture * (1 - alpha) + inside * alpha, np.float32)


def _scratch(rng: np.random.Generator, picture: Field) -> Field:
    """A thin broken line, bright or dark."""
    side = picture.shape[0]
    steps = rng.normal(0, rng.uniform(1, 12), (int(rng.integers(2, 12)), 2)) + rng.normal(0, 12, 2)
    points = (rng.uniform(0, side, 2) + np.cumsum(steps, axis=0)).astype(np.int32)
    mask = np.zeros((side, side), np.uint8)
    cv2.polylines(mask, [points], False, 255, int(rng.integers(1, 3)), cv2.LINE_AA)
    return np.asarray(picture + mask[..., None] / 255 * rng.uniform(-0.5, 0.5), np.float32)
