import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

Draw = Callable[..., Path]


def encoded(pixels: NDArray[np.uint8], suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix.lower(), pixels)[1].tobytes()


@pytest.fixture
def draw() -> Draw:
    """draw(path, width, height, seed) writes an image of noise: another seed, other bytes."""

    def write(path: Path, width: int = 24, height: int = 16, seed: int | None = None) -> Path:
        entropy = seed if seed is not None else sum(str(path).encode())
        pixels = np.random.default_rng(entropy).integers(0, 256, (height, width, 3), np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(pixels, path.suffix))
        return path

    return write


@pytest.fixture
def draw_mask() -> Draw:
    """draw_mask(path, width, height, value) writes a gray mask with a 4x3 spot of `value`; 0 leaves it empty."""

    def write(path: Path, width: int = 24, height: int = 16, value: int = 255) -> Path:
        pixels = np.zeros((height, width), np.uint8)
        pixels[2:5, 3:7] = value
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(pixels, path.suffix))
        return path

    return write


@pytest.fixture
def mvtec(tmp_path: Path, draw: Draw, draw_mask: Draw) -> Path:
    """Three good parts to train on, one good and two scratched ones to test on, with masks."""
    root = tmp_path / "bracket"
    for seed, name in enumerate(("train/good/000", "train/good/001", "train/good/002", "test/good/000")):
        draw(root / f"{name}.png", seed=seed)
    for seed, name in enumerate(("000", "001"), start=10):
        draw(root / "test" / "scratch" / f"{name}.png", seed=seed)
        draw_mask(root / "ground_truth" / "scratch" / f"{name}_mask.png")
    return root


@pytest.fixture
def shared_data() -> Path:
    """Real image sets, where this machine has them."""
    default = Path(__file__).resolve().parents[3] / "shared"
    folder = Path(os.environ.get("TRIALSIGHT_SHARED", default)) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real image sets at {folder}; name their parent folder in TRIALSIGHT_SHARED")
    return folder
