"""Tiles of a real network blend without seams: the map looks as if the picture had gone through as a whole."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trialsight.image import decode, read_header
from trialsight.recipe import Input, Recipe
from trialsight.tiles import Tiling
from trialsight_datasets.simulate.simulator import Simulator
from trialsight_training.backbones import create_backbone
from trialsight_training.detectors.graph import layer_maps
from trialsight_training.detectors.patch_memory import PatchMemory
from trialsight_training.geometry import preparation_for

TILE = 256
# Side of the picture, what its neighbouring tiles then share, and, in units of the map's mean, how much it may differ
# in the mean and its steps be larger. A deep layer of this trunk feels padding some 110 pixels into a tile.
CASES = {"128 px shared": (512, 0.015, 0.0022), "160 px shared": (448, 0.006, 0.00025)}


@torch.no_grad()
@pytest.mark.parametrize(("side", "difference", "step"), CASES.values(), ids=CASES.keys())
def test_the_map_of_tiles_has_no_seams(
    remembering: Callable[..., PatchMemory], side: int, difference: float, step: float
) -> None:
    tiling = preparation_for(Recipe(name="a", input=Input(side, tile_px=TILE)), [(side, side)]).tiling
    assert tiling is not None
    backbone = create_backbone("shipped", "shipped", ())
    simulator = Simulator(seed=1, size_px=side)
    known, picture = (_pixels(simulator.good(index).jpeg) for index in range(2))
    tiles = np.stack(list(tiling.cut(known)))  # what a model of tiles learns from
    layers = layer_maps(backbone, torch.from_numpy(tiles)).maps
    mapper = remembering(backbone, [layer.permute(0, 2, 3, 1).flatten(0, 2)[::13] for layer in layers])

    def seen(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        frame = torch.from_numpy(np.ascontiguousarray(pixels))[None]
        defect_map: NDArray[np.float32] = mapper(layer_maps(backbone, frame), frame)[0].numpy()
        return defect_map

    whole, blended = seen(picture), tiling.blend(seen(tile) for tile in tiling.cut(picture))
    assert float(np.abs(blended - whole).mean()) < difference * float(whole.mean())
    for axis in (0, 1):
        where = _in_overlap(tiling, axis)
        steps = [float(np.abs(np.diff(one, axis=axis)).take(where, axis).mean()) for one in (blended, whole)]
        assert steps[0] - steps[1] < step * float(whole.mean())


def _pixels(jpeg: bytes) -> NDArray[np.uint8]:
    return decode(jpeg, read_header(jpeg))


def _in_overlap(tiling: Tiling, axis: int) -> NDArray[np.int_]:
    """Rows (0) or columns (1) of the map, four pixels each, that neighbouring tiles share."""
    starts = sorted({corner[1 - axis] for corner in tiling.corners})
    return np.concatenate([np.arange(later // 4, (first + TILE) // 4 - 1) for first, later in pairwise(starts)])
