"""How a material looks close up: its grain, its colour, and whether a lamp shows in it as a band."""

import cv2
import numpy as np

from trialsight_datasets.simulate.part import Floats
from trialsight_datasets.simulate.product import Colour, Material

# Of each kind: how strong the grain is, as a share of the brightness, and the colour under white light.
_USUAL: dict[str, tuple[float, Colour]] = {
    "brushed": (0.085, (1.0, 0.985, 0.955)),  # warm steel
    "cast": (0.11, (0.97, 0.985, 1.0)),
    "plastic": (0.018, (0.55, 0.75, 1.0)),
    "printed": (0.02, (1.0, 0.97, 0.9)),
}


def grain_of(material: Material) -> float:
    return _USUAL[material.kind][0] if material.texture is None else material.texture


def tint_of(material: Material) -> Colour:
    return _USUAL[material.kind][1] if material.tint is None else material.tint


def draw_grain(rng: np.random.Generator, material: Material, size_px: int) -> Floats:
    """(S, S) float32 of mean 0 and standard deviation near 1: one part's own surface."""
    return {"brushed": brushed, "cast": cast, "plastic": plastic, "printed": printed}[material.kind](rng, size_px)


def brushed(rng: np.random.Generator, size_px: int) -> Floats:
    """Streaks along x of three lengths, and a slow cloud."""
    texture = np.zeros((size_px, size_px), np.float32)
    for length, share in ((0.25, 0.55), (0.05, 0.6), (0.01, 0.5)):
        columns = max(4, round(1 / length)) + 2
        streaks = rng.standard_normal((size_px, columns), np.float32)
        texture += np.float32(share) * _stretch(streaks, size_px, cv2.INTER_LINEAR)
    cloud = _stretch(rng.standard_normal((6, 6), np.float32), size_px, cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(texture, (1, 3), 0.6) + np.float32(0.35) * cloud, np.float32)


def cast(rng: np.random.Generator, size_px: int) -> Floats:
    """The sand's grain: bumps of three sizes in all directions, and a few dark pores."""
    texture = np.zeros((size_px, size_px), np.float32)
    for grain_px, share in ((2, 0.75), (6, 0.55), (40, 0.3)):
        cells = max(4, size_px // grain_px)
        texture += np.float32(share) * _stretch(
            rng.standard_normal((cells, cells), np.float32), size_px, cv2.INTER_CUBIC
        )
    pores = rng.integers(0, size_px, (rng.poisson(40), 2))
    texture[pores[:, 0], pores[:, 1]] -= 3
    return np.asarray(cv2.GaussianBlur(texture, (0, 0), 0.7), np.float32)


def plastic(rng: np.random.Generator, size_px: int) -> Floats:
    """Nearly smooth, with the slow waves of its mould's cooling."""
    fine = rng.standard_normal((size_px, size_px), np.float32)
    waves = _stretch(rng.standard_normal((9, 9), np.float32), size_px, cv2.INTER_CUBIC)
    return np.asarray(0.6 * cv2.GaussianBlur(fine, (0, 0), 1.0) + waves, np.float32)


def printed(rng: np.random.Generator, size_px: int) -> Floats:
    """A fine screen of dots, the same on each part but for how it lies, on paper with its own fibres."""
    pitch_px = max(3.0, size_px / 90)
    dx, dy = rng.uniform(0, pitch_px, 2)
    axis = 2 * np.pi / pitch_px * np.arange(size_px, dtype=np.float32)
    screen = np.cos(axis + dx)[np.newaxis, :] * np.cos(axis + dy)[:, np.newaxis]
    fibres = _stretch(rng.standard_normal((size_px // 2, size_px // 8), np.float32), size_px, cv2.INTER_LINEAR)
    return np.asarray(2.5 * np.maximum(screen, 0) + 0.7 * fibres, np.float32)


def draw_sheen(rng: np.random.Generator, material: Material, size_px: int) -> Floats:
    """(S, 1): brushing scatters light across its direction, so a lamp shows as a band along it; elsewhere nothing."""
    y = np.linspace(-0.5, 0.5, size_px, dtype=np.float32)[:, np.newaxis]
    centre, strength = rng.uniform(-0.14, -0.08), rng.uniform(0.26, 0.32)
    if material.kind != "brushed":
        strength = 0.05 if material.kind == "plastic" else 0.0
        return np.asarray(strength * np.exp(-(((y - centre) / 0.12) ** 2)), np.float32)
    return np.asarray(strength * np.exp(-(((y - centre) / 0.22) ** 2)) - 0.08, np.float32)


def _stretch(noise: Floats, size_px: int, interpolation: int) -> Floats:
    return np.asarray(cv2.resize(noise, (size_px, size_px), interpolation=interpolation), np.float32)
