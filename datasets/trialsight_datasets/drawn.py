"""Masks that annotation tools keep as shapes: polygons, bitmaps and run lengths, drawn when pixels are wanted."""

import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight import FrameError, TrialsightError
from trialsight.image import Limits, check_header

Point = tuple[float, float]


@dataclass(frozen=True)
class Polygon:
    """`points` and the outlines of `holes`, (x, y) in pixels; the pixels of the outline itself belong to it."""

    points: tuple[Point, ...]
    holes: tuple[tuple[Point, ...], ...] = ()

    def draw(self, mask: NDArray[np.uint8]) -> None:
        own = np.zeros_like(mask)
        cv2.fillPoly(own, [_rounded(self.points)], 1)
        for hole in self.holes:
            cut = np.zeros_like(mask)
            cv2.fillPoly(cut, [_rounded(hole)], 1)
            cv2.polylines(cut, [_rounded(hole)], True, 0)
            own[cut > 0] = 0
        mask |= own


@dataclass(frozen=True)
class Bitmap:
    """A PNG laid with its top left corner at `x`, `y`; where any channel (alpha last) is above 0 is defective."""

    x: int
    y: int
    png: bytes

    def draw(self, mask: NDArray[np.uint8]) -> None:
        try:
            check_header(self.png, Limits())
            pixels = cv2.imdecode(np.frombuffer(self.png, np.uint8), cv2.IMREAD_UNCHANGED)
        except FrameError:
            pixels = None
        if pixels is None:
            raise TrialsightError("a bitmap is no PNG", "save the annotation again")
        flat = pixels if pixels.ndim == 2 else pixels[..., -1 if pixels.shape[2] == 4 else 0]
        height, width = flat.shape
        if self.x < 0 or self.y < 0 or self.x + width > mask.shape[1] or self.y + height > mask.shape[0]:
            raise TrialsightError(
                f"a bitmap of {width}x{height} at {self.x}, {self.y} reaches beyond the image of "
                f"{mask.shape[1]}x{mask.shape[0]} pixels",
                "save the annotation again",
            )
        mask[self.y : self.y + height, self.x : self.x + width] |= (flat > 0).astype(np.uint8)


@dataclass(frozen=True)
class RunLengths:
    """COCO's run lengths: how many pixels of background and defect follow each other, down the columns."""

    counts: tuple[int, ...]

    def draw(self, mask: NDArray[np.uint8]) -> None:
        if min(self.counts, default=0) < 0 or sum(self.counts) != mask.size:
            raise TrialsightError(
                f"run lengths add up to {sum(self.counts)} pixels, the image has {mask.size}",
                "save the annotation again",
            )
        values = np.arange(len(self.counts), dtype=np.uint8) & 1
        mask |= np.repeat(values, self.counts).reshape(mask.shape, order="F")


def run_lengths_of(mask: NDArray[np.bool_]) -> RunLengths:
    down = mask.ravel(order="F")
    edges = np.flatnonzero(down[1:] != down[:-1]) + 1
    counts = np.diff(np.concatenate([[0], edges, [down.size]])).tolist()
    return RunLengths(tuple([0, *counts] if down[0] else counts))


def unpack_run_lengths(text: str) -> RunLengths:
    """COCO's compressed form: digits to the base 32 from `0` on, the least first, bit 5 for more to come, bit 4 of the
    last for a negative number; from the third run on each is the difference to the one two before.

    Raises TrialsightError for any other text.
    """
    runs: list[int] = []
    value = shift = 0
    for char in text:
        digit = ord(char) - 48
        if not 0 <= digit < 64 or shift > 60:
            raise TrialsightError(f"compressed run lengths can't hold {char!r} there", "save the annotation again")
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            if digit & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise TrialsightError("compressed run lengths are cut short", "save the annotation again")
    return RunLengths(tuple(runs))


@dataclass(frozen=True)
class Drawn:
    """All that somebody drew on one image. `size_px`: the image's (width, height) as the annotation tells it."""

    size_px: tuple[int, int]
    shapes: tuple[Polygon | Bitmap | RunLengths, ...]

    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool. Raises TrialsightError where a shape doesn't fit the image."""
        width, height = self.size_px
        mask = np.zeros((height, width), np.uint8)
        for shape in self.shapes:
            shape.draw(mask)
        return mask.astype(np.bool_)

    def png(self) -> bytes:
        return mask_png(self.mask())


def mask_png(mask: NDArray[np.bool_]) -> bytes:
    """An (H, W) mask as a PNG: 0 and 255."""
    return cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes()


def bitmap_of(mask: NDArray[np.bool_]) -> Bitmap:
    """The mask cut to what it marks. It must mark something."""
    ys, xs = np.nonzero(mask)
    top, left = int(ys.min()), int(xs.min())
    return Bitmap(left, top, mask_png(mask[top : int(ys.max()) + 1, left : int(xs.max()) + 1]))


def inflate(data: bytes, most: int = 64 * 2**20) -> bytes:
    """zlib's deflated bytes. Raises TrialsightError where they are broken or grow beyond `most` bytes."""
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(data, most)
    except zlib.error as error:
        raise TrialsightError(f"a bitmap can't be unpacked: {error}", "save the annotation again") from error
    if unpacker.unconsumed_tail:
        raise TrialsightError(f"a bitmap unpacks to more than {most} bytes", "save the annotation again")
    return plain


def _rounded(points: tuple[Point, ...]) -> NDArray[np.int32]:
    return np.round(np.array(points, np.float64)).astype(np.int32).reshape(-1, 1, 2)
