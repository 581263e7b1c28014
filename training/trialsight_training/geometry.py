"""How a recipe's view becomes the model's input: its sides, the frame size that is expected, how JPEGs are decoded."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from trialsight.card import Preparation
from trialsight.errors import TrialsightError
from trialsight.geometry.register import MIN_CORRELATION
from trialsight.geometry.shapes import Shape
from trialsight.image import decode, read_header
from trialsight.prepare import Preparer
from trialsight.recipe import Recipe
from trialsight.tiles import GRID_PX, LEAST_OVERLAP_PX, Tiles
from trialsight_datasets.pixels import read_bytes
from trialsight_datasets.sample import Sample

# The layers that detectors look at reduce up to 16 times; other sides would be padded unevenly.
MULTIPLE = 16
REDUCED = (4, 2)
CROP_STEP = 8
# A network's padding is felt up to 110 pixels into a tile, from 64 on by a few hundredths: in the middle of this
# overlap neighbours agree so far.
SEAMLESS_PX = 4 * GRID_PX
# However alike the training frames are: a defect, or a new lamp, costs some correlation too.
MAX_CORRELATION = 0.97


def preparation_for(
    recipe: Recipe, sizes_px: Sequence[tuple[int, int]], reference_sha256: str | None = None
) -> Preparation:
    """`sizes_px`: (width, height) of each frame. Raises TrialsightError where the recipe names another size.

    The frame size is fixed where the recipe's view fixes it or all frames agree, so that the service can refuse a
    camera that was set otherwise. JPEGs are decoded at the smallest fraction that still covers the input.
    """
    view = recipe.view
    expected = None if view.width_px is None or view.height_px is None else (view.width_px, view.height_px)
    other = next((size for size in sizes_px if expected and size != expected), None)
    if expected and other:
        raise TrialsightError(
            f"the set has a frame of {other[0]}x{other[1]} pixels, recipe {recipe.name} expects "
            f"{expected[0]}x{expected[1]}",
            "change view.width_px and view.height_px in the recipe, or take the frame out of the set",
        )
    if expected is None and len(set(sizes_px)) == 1:
        expected = sizes_px[0]
    crop = None if view.roi is None or expected is None else _crop(view.roi, expected)
    seen = [crop[2:]] if crop else sizes_px
    width, height = _input_sides(recipe, seen)
    reduced = (r for r in REDUCED if all(-(-w // r) >= width and -(-h // r) >= height for w, h in seen))
    return Preparation(
        width_px=width,
        height_px=height,
        frame_width_px=expected[0] if expected else None,
        frame_height_px=expected[1] if expected else None,
        reduced_decode=next(reduced, 1),
        crop_px=crop,
        registration=view.registration,
        reference_sha256=reference_sha256,
        tiles=_tiles(recipe, width, height),
    )


def preparer_for(
    recipe: Recipe, sizes_px: Sequence[tuple[int, int]], train: Sequence[Sample], reference: bytes | None
) -> Preparer:
    """The preparation and what it needs to run. `reference`: the encoded picture that frames are registered to.

    How well a frame must match the reference is learned from the good parts of `train`, unless the recipe says it.
    """
    if reference is None:
        return Preparer(preparation_for(recipe, sizes_px))
    picture = decode(reference, read_header(reference))
    preparation = preparation_for(recipe, sizes_px, hashlib.sha256(reference).hexdigest())
    registration = preparation.registration
    if registration is not None and registration.min_correlation is None:
        first = Preparer(preparation, picture)
        poses = [first.decode(*read_bytes(sample.path)).pose for sample in train]
        furthest = max(1 - pose.correlation for pose in poses if pose is not None)
        learned = round(min(MAX_CORRELATION, max(MIN_CORRELATION, 1 - 2 * furthest)), 4)
        preparation = replace(preparation, registration=replace(registration, min_correlation=learned))
    return Preparer(preparation, picture)


def _crop(roi: Shape, size_px: tuple[int, int]) -> tuple[int, int, int, int]:
    """x, y, width, height of the box around it, on multiples of 8, so that reduced decoding cuts whole pixels."""
    x, y, width, height = roi.box
    left, top = int(x) // CROP_STEP * CROP_STEP, int(y) // CROP_STEP * CROP_STEP
    right = min(size_px[0], -int(-(x + width) // CROP_STEP) * CROP_STEP)
    bottom = min(size_px[1], -int(-(y + height) // CROP_STEP) * CROP_STEP)
    return left, top, right - left, bottom - top


def _input_sides(recipe: Recipe, sizes_px: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """(width, height) with about size_px² pixels, multiples of 16, or of the tiles' grid; the median frame's aspect, or
    square."""
    side, multiple = recipe.input.size_px, MULTIPLE if recipe.input.tile_px is None else GRID_PX
    aspect = median(width / height for width, height in sizes_px) if recipe.input.keep_aspect else 1.0
    width, height = side * aspect**0.5, side / aspect**0.5
    return max(multiple, round(width / multiple) * multiple), max(multiple, round(height / multiple) * multiple)


def _tiles(recipe: Recipe, width: int, height: int) -> Tiles | None:
    """None where one tile would hold the whole picture."""
    side = recipe.input.tile_px
    if side is None or (width <= side and height <= side):
        return None
    tile = (min(side, width), min(side, height))
    wanted = max(SEAMLESS_PX, round(side * recipe.input.overlap / GRID_PX) * GRID_PX)
    return Tiles(*tile, overlap_px=max(LEAST_OVERLAP_PX, min(wanted, side // 2 // GRID_PX * GRID_PX)))
