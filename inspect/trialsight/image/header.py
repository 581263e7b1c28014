"""Format and size of an encoded image from its first bytes, so that a decompression bomb costs nothing.

A 109 KB PNG can cost a decoder half a minute and gigabytes; its header costs microseconds. Sources: ITU-T T.81 (JPEG),
ISO/IEC 15948 (PNG), the BITMAPINFOHEADER layout (BMP), TIFF 6.0.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from trialsight.errors import FrameError, FrameFault

PNG = b"\x89PNG\r\n\x1a\n"
CONTENT_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "bmp": "image/bmp", "tiff": "image/tiff"}
# Start-of-frame markers: C0-CF without DHT (C4), JPG (C8) and DAC (CC).
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


@dataclass(frozen=True)
class ImageHeader:
    """`format` is jpeg, png, bmp or tiff. `width_px` and `height_px` as stored, before any EXIF rotation."""

    format: str
    width_px: int
    height_px: int

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES[self.format]


@dataclass(frozen=True)
class Limits:
    """The largest frame that is accepted. A 24-megapixel camera is the largest in common use on a line."""

    max_bytes: int = 32 * 2**20
    max_pixels: int = 64_000_000


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
        width, height = _READERS[name](data)
    except (struct.error, IndexError, ValueError):
        raise FrameError(FrameFault.UNDECODABLE, f"the {name} header is broken or cut short", "send it again") from None
    if width <= 0 or height <= 0:
        raise FrameError(FrameFault.UNDECODABLE, f"the {name} header says {width}x{height} pixels", "send it again")
    return ImageHeader(name, width, height)


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
    return header


def _format(data: bytes) -> str | None:
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == PNG:
        return "png"
    if data[:2] == b"BM" and len(data) > 6:
        return "bmp"
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    return None


def _jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("marker expected")
        while data[at] == 0xFF:  # fill bytes may precede a marker
            at += 1
        marker = data[at]
        at += 1
        if marker in _NO_LENGTH:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if marker in _SOF:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return width, height
        if marker == 0xDA or length < 2:
            raise ValueError("no frame header before the scan")
        at += length


def _png(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise ValueError("IHDR expected")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    (size,) = struct.unpack_from("<I", data, 14)
    if size == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)  # a negative height means rows from the top


def _tiff(data: bytes) -> tuple[int, int]:
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    sides: dict[int, int] = {}
    for index in range(min(count, 512)):
        tag, kind, _ = struct.unpack_from(order + "HHI", data, at + 2 + 12 * index)
        if tag in (256, 257):
            code = {1: "B", 3: "H", 4: "I"}.get(kind)
            if code is None:
                raise ValueError("width and height must be integers")
            (sides[tag],) = struct.unpack_from(order + code, data, at + 2 + 12 * index + 8)
    if sides.keys() != {256, 257}:
        raise ValueError("width or height is missing")
    return sides[256], sides[257]


_READERS: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "jpeg": _jpeg,
    "png": _png,
    "bmp": _bmp,
    "tiff": _tiff,
}
