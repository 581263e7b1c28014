"""What the student learns to see: crops of photographs, made-up surfaces and simulated parts, strongly varied.

Crop i depends on (seed, i) alone, so that a run that was stopped goes on with the very next crop.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from trialsight.errors import TrialsightError
from trialsight_datasets.simulate import KINDS, Simulator
from trialsight_training.distil.textures import blemished, octaves, texture

Picture = NDArray[np.uint8]  # (H, W, 3) RGB

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
SHORT_SIDE_PX = 320
SIDES_PX = (128, 160, 224)
HELD_OUT = 20  # one photograph in so many is kept for validation


@dataclass(frozen=True)
class Pool:
    """Pictures by kind, each at most SHORT_SIDE_PX on its short side; `held_out` is never trained on."""

    photographs: list[Picture]
    textures: list[Picture]
    parts: list[Picture]
    held_out: list[Picture]

    @classmethod
    def gather(
        cls, folder: Path, textures: int, parts: int, seed: int, tell: Callable[[str], None] = lambda _: None
    ) -> "Pool":
        """Read every image below `folder`; draw the textures and render the parts."""
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if len(paths) < 2:
            raise TrialsightError(f"{folder} holds {len(paths)} images", "distillation needs photographs; 1,000 do")
        tell(f"reading {len(paths)} photographs")
        photographs = [_read(path) for path in paths]
        tell(f"drawing {textures} textures")
        surfaces = [texture(np.random.default_rng((seed, 1, i)), SHORT_SIDE_PX) for i in range(textures)]
        tell(f"rendering {parts} parts")
        simulator = Simulator(seed=seed, size_px=SHORT_SIDE_PX)
        frames = [
            simulator.good(i) if i % 2 else simulator.defective(i, KINDS[i // 2 % len(KINDS)]) for i in range(parts)
        ]
        shown = [_decode(np.frombuffer(frame.jpeg, np.uint8)) for frame in frames]
        kept = photographs[::HELD_OUT] + surfaces[::HELD_OUT]
        return cls(
            [p for i, p in enumerate(photographs) if i % HELD_OUT],
            [p for i, p in enumerate(surfaces) if i % HELD_OUT],
            [p for p in shown if p is not None],
            kept,
        )


class Crops(Dataset[Tensor]):
    """Endless training crops: item i is a whole batch (batch, 3, side, side) uint8, `side` one of SIDES_PX.

    Its second half are the crops of the first with blemishes: what a detector must tell apart.
    """

    def __init__(self, pool: Pool, batch: int, seed: int) -> None:
        self.batch, self.seed = batch, seed
        shares = ((pool.photographs, 0.5), (pool.textures, 0.35), (pool.parts, 0.15))
        self.sources = [pictures for pictures, _ in shares if pictures]
        weights = np.array([share for pictures, share in shares if pictures])
        self.shares = weights / weights.sum()

    def __getitem__(self, index: int) -> Tensor:
        rng = np.random.default_rng((self.seed, 2, index))
        side = int(rng.choice(SIDES_PX))
        pairs = [self._pair(rng, side) for _ in range(self.batch // 2)]
        crops = np.stack([pair[i] for i in (0, 1) for pair in pairs])
        return torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))

    def _pair(self, rng: np.random.Generator, side: int) -> tuple[Picture, Picture]:
        """A crop as it is and with blemishes, varied alike."""
        crop = self._crop(rng, side)
        blemishes = blemished(rng, crop)
        lot = int(rng.integers(2**32))
        return vary(np.random.default_rng(lot), crop), vary(np.random.default_rng(lot), blemishes)

    def _crop(self, rng: np.random.Generator, side: int) -> Picture:
        crop = self._cut(rng, side)
        if rng.random() < 0.15:  # another surface within a ragged border: what a stain or a missing piece looks like
            field = cv2.GaussianBlur(octaves(rng, side), (0, 0), 1.0)
            inside = field > np.quantile(field, rng.uniform(0.5, 0.98))
            crop = np.where(inside[..., None], self._cut(rng, side), crop)
        return crop

    def _cut(self, rng: np.random.Generator, side: int) -> Picture:
        pictures = self.sources[int(rng.choice(len(self.sources), p=self.shares))]
        picture = pictures[int(rng.integers(len(pictures)))]
        height, width = picture.shape[:2]
        reach = min(height, width) * rng.uniform(0.4, 1.0)
        h, w = (max(8, min(limit, int(reach * rng.uniform(0.8, 1.2)))) for limit in (height, width))
        top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
        cut = picture[top : top + h, left : left + w]
        how = cv2.INTER_AREA if min(h, w) > side else cv2.INTER_LINEAR
        return cast(Picture, cv2.resize(cut, (side, side), interpolation=how))


def vary(rng: np.random.Generator, crop: Picture) -> Picture:
    """Flip, quarter turn, gray, tone of each channel, blur, sensor noise."""
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    crop = np.rot90(crop, int(rng.integers(4)) if rng.random() < 0.5 else 0)
    crop = np.ascontiguousarray(crop)
    if rng.random() < 0.4:
        crop = cast(Picture, cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))
    if rng.random() < 0.8:
        level = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.3))
        gain = np.exp(rng.normal(-0.1, 0.35)) * np.exp(rng.normal(0, 0.08 if rng.random() < 0.5 else 0.0, 3))
        tone = ((level - 0.5) * gain + 0.5 + rng.normal(0, 0.12)).clip(0, 1)
        crop = cast(Picture, cv2.LUT(crop, (tone * 255).round().astype(np.uint8)[None]))
    if rng.random() < 0.25:
        crop = cast(Picture, cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 2.5)))
    if rng.random() < 0.25:
        noise = rng.standard_normal(crop.shape, dtype=np.float32) * np.float32(rng.uniform(0, 10))
        crop = (crop + noise).clip(0, 255).astype(np.uint8)
    return crop


def held_out_batch(pool: Pool, side: int, at_most: int = 128) -> Tensor:
    """(N, 3, side, side) uint8: the middles of held-out pictures, as they are."""
    middles = []
    step = max(1, len(pool.held_out) // at_most)
    for picture in pool.held_out[::step][:at_most]:
        height, width = picture.shape[:2]
        short = min(height, width)
        top, left = (height - short) // 2, (width - short) // 2
        middles.append(cv2.resize(picture[top : top + short, left : left + short], (side, side)))
    return torch.from_numpy(np.ascontiguousarray(np.stack(middles).transpose(0, 3, 1, 2)))


def _read(path: Path) -> Picture:
    picture = _decode(np.fromfile(path, np.uint8))
    if picture is None:
        raise TrialsightError(f"{path} can't be decoded", "remove it from the folder of photographs")
    return picture


def _decode(data: NDArray[np.uint8]) -> Picture | None:
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if data.size else None
    if picture is None:
        return None
    scale = SHORT_SIDE_PX / min(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cast(Picture, picture)
