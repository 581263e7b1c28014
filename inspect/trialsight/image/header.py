"""Format and size of an encoded image from its header, so that a decompression bomb costs nothing.

A 109 KB PNG can cost a decoder half a minute and gigabytes; its header costs microseconds.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from trialsight.errors import FrameError, FrameFault
from trialsight.image.formats import bmp, jpeg, png, tiff
from trialsight.image.formats.size import Size, damaged, unsupported

CONTENT_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "bmp": "image/bmp", "tiff": "image/tiff"}
_READERS: dict[str, Callable[[bytes], Size]] = {
    "jpeg": jpeg.read_size,
    "png": png.read_size,
    "bmp": bmp.read_size,
    "tiff": tiff.read_size,
}
# The picture as RGB, twice. Some kinds of file take more a pixel to decode, and so may have fewer.
_BYTES_PER_PIXEL = 6


@dataclass(frozen=True)
class ImageHeader:
    """`format` is jpeg, png, bmp or tiff. `width_px` and `height_px` as stored, before any rotation.
    `memory_bytes`: what decoding takes at its peak."""

    format: str
    width_px: int
    height_px: int
    memory_bytes: int = 0

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES[self.format]


@dataclass(frozen=True)
class Limits:
    """The largest frame that is accepted. A 31-megapixel sensor is the largest in common use on a line."""

    max_bytes: int = 32 * 2**20
    max_pixels: int = 32_000_000

    @property
    def max_memory_bytes(self) -> int:
        """What decoding one frame may take: 192 MB by default."""
        return self.max_pixels * _BYTES_PER_PIXEL


def read_header(data: bytes) -> ImageHeader:
    """Raises FrameError: EMPTY, NOT_AN_IMAGE (by its first bytes), UNDECODABLE (an image whose header is broken)."""
    if not data:
        raise FrameError(FrameFault.EMPTY, "the frame is empty", "send the image's bytes as the body")
    name = _format(data)
    if name is None:
        raise FrameError(
            FrameFault.NOT_AN_IMAGE,
            "the frame is not a JPEG, PNG, BMP or TIFF image",
            "encode it as one of these",
        )
    try:
        size = _READERS[name](data)
    except (struct.error, IndexError, ValueError):
        raise damaged(f"the {name} header is broken or cut short") from None
    if size.width_px <= 0 or size.height_px <= 0:
        raise damaged(f"the {name} header says {size.width_px}x{size.height_px} pixels")
    return ImageHeader(name, size.width_px, size.height_px, size.memory_bytes)


def check_header(data: bytes, limits: Limits) -> ImageHeader:
    """`read_header`, then the limits. Raises FrameError TOO_LARGE as well."""
    if len(data) > limits.max_bytes:
        raise FrameError(FrameFault.TOO_LARGE, f"the frame has {len(data)} bytes; at most {limits.max_bytes} are taken")
    header = read_header(data)
    if header.width_px * header.height_px > limits.max_pixels:
        raise FrameError(
            FrameFault.TOO_LARGE,
            f"the frame has {header.width_px}x{header.height_px} pixels; at most {limits.max_pixels} are taken",
            "reduce it, or raise the limit in the service's settings",
        )
    if header.memory_bytes > limits.max_memory_bytes:
        raise FrameError(
            FrameFault.TOO_LARGE,
            f"the {header.format} of {header.width_px}x{header.height_px} pixels takes {header.memory_bytes} bytes to "
            f"decode; at most {limits.max_memory_bytes} are taken",
            "send a baseline JPEG, or a TIFF in smaller strips, or raise the limit in the service's settings",
        )
    return header


def _format(data: bytes) -> str | None:
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == png.SIGNATURE:
        return "png"
    if data[:2] == b"BM" and len(data) > 6:
        return "bmp"
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    if data[:4] in (b"II+\0", b"MM\0+"):
        raise unsupported("the frame is a BigTIFF", "send a TIFF; BigTIFF is for files of more than 4 GB")
    return None
