"""Large pictures in overlapping tiles: each goes through the graph alone, their maps are blended without seams.

Tiles are not the graph's batch: a picture of 12 million pixels has some ninety, whose features together would take
gigabytes, and a batch buys no time on a processor (docs/decisions/0011-tiles.md).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trialsight.detector import Detector, Output

T = TypeVar("T", bound=np.generic)

# Tiles begin on multiples of it: trunks reduce up to 32 times, and so each tile sees the same grid.
GRID_PX = 32
LEAST_OVERLAP_PX = 2 * GRID_PX


@dataclass(frozen=True)
class Tiles:
    """A tile's sides, which are the graph's input, and the least overlap of neighbours, in pixels of the picture."""

    width_px: int
    height_px: int
    overlap_px: int

    def __post_init__(self) -> None:
        if self.overlap_px < LEAST_OVERLAP_PX:
            raise ValueError(f"tiles must overlap by {LEAST_OVERLAP_PX} pixels or more, got {self.overlap_px}")
        if any(side % GRID_PX for side in (self.width_px, self.height_px)):
            raise ValueError(f"a tile's sides must be multiples of {GRID_PX}, got {self.width_px}x{self.height_px}")
        if max(self.width_px, self.height_px) < 2 * self.overlap_px:
            raise ValueError(
                f"tiles of {self.width_px}x{self.height_px} pixels are too small for an overlap of {self.overlap_px}"
            )


class Tiling:
    """How a picture of `size_px` (width, height; multiples of 32) is cut, and how its maps are put together.

    A tile counts for nothing in the outer quarter of what it shares with its neighbour, where the network sees its
    padding instead of the part, then more and more up to three quarters of it. At the picture's own border it counts in
    full.
    """

    def __init__(self, size_px: tuple[int, int], tiles: Tiles) -> None:
        self.size_px, self.tiles = size_px, tiles
        self._lefts = _starts(size_px[0], tiles.width_px, tiles.overlap_px)
        self._tops = _starts(size_px[1], tiles.height_px, tiles.overlap_px)
        self.corners = tuple((left, top) for top in self._tops for left in self._lefts)

    def __len__(self) -> int:
        return len(self.corners)

    def cut(self, picture: NDArray[T]) -> Iterator[NDArray[T]]:
        """(H, W, …) to a view of each tile, row by row from the top left."""
        for left, top in self.corners:
            yield picture[top : top + self.tiles.height_px, left : left + self.tiles.width_px]

    def blend(self, maps: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The tiles' (h, w) or (K, h, w) maps in the order of `cut`, one at a time, to the picture's map or maps.

        Raises ValueError where a map's pixels don't fall on the tiles' grid.
        """
        total = weights = np.empty(0, np.float32)
        step = 0
        for (left, top), one in zip(self.corners, maps, strict=True):
            if not step:
                step = self._step(one.shape[-2:])
                shape = (self.size_px[1] // step, self.size_px[0] // step)
                total, weights = np.zeros((*one.shape[:-2], *shape), np.float32), np.zeros(shape, np.float32)
            height, width = one.shape[-2:]
            window = np.s_[top // step : top // step + height, left // step : left // step + width]
            weight = self._weight((left, top), step)
            total[..., *window] += weight * one
            weights[window] += weight
        return np.asarray(total / weights, np.float32)

    def _step(self, map_shape: tuple[int, ...]) -> int:
        """Pixels of the picture in one of the map's."""
        step = self.tiles.width_px // map_shape[1]
        if (map_shape[0] * step, map_shape[1] * step) != (self.tiles.height_px, self.tiles.width_px) or GRID_PX % step:
            raise ValueError(
                f"a map of {map_shape[1]}x{map_shape[0]} doesn't fit tiles of "
                f"{self.tiles.width_px}x{self.tiles.height_px} pixels"
            )
        return step

    def _weight(self, corner: tuple[int, int], step: int) -> NDArray[np.float32]:
        across = _ramp(corner[0], self.tiles.width_px, self._lefts, step)
        down = _ramp(corner[1], self.tiles.height_px, self._tops, step)
        return down[:, None] * across[None, :]


class TiledDetector:
    """A detector of tiles as one of whole pictures. The embedding is the mean of the tiles', at unit length."""

    def __init__(self, detector: Detector, tiling: Tiling) -> None:
        self._detector, self._tiling = detector, tiling

    def run(self, frame: NDArray[np.uint8]) -> Output:
        embeddings: list[NDArray[np.float32]] = []
        class_maps: list[NDArray[np.float32]] = []  # coarse ones, so all of a picture's are small

        def maps() -> Iterator[NDArray[np.float32]]:
            for tile in self._tiling.cut(frame):
                seen = self._detector.run(np.ascontiguousarray(tile))
                if seen.embedding is not None:
                    embeddings.append(seen.embedding)
                if seen.class_map is not None:
                    class_maps.append(seen.class_map)
                yield seen.defect_map

        defect_map = self._tiling.blend(maps())
        embedding = mean_direction(np.stack(embeddings)) if embeddings else None
        class_map = self._tiling.blend(class_maps) if class_maps else None
        return Output(defect_map, float(defect_map.max()), embedding, class_map)


def mean_direction(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, C) of unit length to their mean (C,), of unit length."""
    mean = embeddings.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)


def _ramp(start: int, side: int, starts: list[int], step: int) -> NDArray[np.float32]:
    """What each of the map's pixels along one side counts for, `starts` being where the tiles of that side begin.

    Neighbours share the least overlap or more, as tiles are evenly spread: all of it is used, for in its middle both
    are farthest from their padding.
    """
    place = starts.index(start)
    centers = (np.arange(side // step, dtype=np.float32) + 0.5) * step
    ramp = np.ones(side // step, np.float32)
    for neighbour, inward in ((place - 1, centers), (place + 1, side - centers)):
        if 0 <= neighbour < len(starts):
            shared = side - abs(starts[neighbour] - start)
            ramp = np.minimum(ramp, np.clip((inward - shared / 4) / (shared / 2), 0, 1))
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)  # level where it begins and ends


def _starts(whole: int, side: int, overlap: int) -> list[int]:
    """Where tiles begin along one side: evenly spread over it, on the grid, the last one at its end."""
    if whole <= side:
        return [0]
    count = 1 + math.ceil((whole - side) / ((side - overlap) // GRID_PX * GRID_PX))
    return [round(index * (whole - side) / (count - 1) / GRID_PX) * GRID_PX for index in range(count)]
