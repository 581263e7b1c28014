"""PNG, by ISO/IEC 15948: a chain of chunks, each with its length, its kind and a CRC."""

import struct
import zlib

from trialsight.image.formats.size import Size, damaged, memory_bytes, unsupported

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type to samples a pixel
_MAX_INFLATION = 1032  # deflate turns a byte into at most this many
_MAX_CHUNKS = 20_000  # encoders write 8 KiB of pixels a chunk or more; a file of empty chunks only costs time


def read_size(data: bytes) -> Size:
    """Raises struct.error or ValueError where there is no header."""
    if data[12:16] != b"IHDR":
        raise ValueError("IHDR expected")
    width, height = struct.unpack_from(">II", data, 16)
    return Size(width, height, memory_bytes(width * height))


def check_whole(data: bytes) -> bytes:
    """Raises FrameError UNDECODABLE: a broken or missing chunk, too little data for so many pixels, an animation."""
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    if colour not in _SAMPLES:
        raise damaged(f"the PNG header names colour type {colour}, which doesn't exist")
    packed = _packed_bytes(data)
    if height * ((width * _SAMPLES[colour] * depth + 7) // 8) > packed * _MAX_INFLATION:
        raise damaged(f"the PNG says {width}x{height} pixels, but {packed} bytes can't hold as many")
    return data


def _packed_bytes(data: bytes) -> int:
    """Length of all pixel data, once every chunk up to the end is seen to be whole."""
    view = memoryview(data)
    at, packed = len(SIGNATURE), 0
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            raise damaged("the PNG is cut short: its end is missing")
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            raise damaged(f"the PNG is cut short within its {_name(kind)} chunk")
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise damaged(f"the PNG is damaged: the checksum of its {_name(kind)} chunk is wrong")
        if kind in _ANIMATION:
            raise unsupported("the PNG is animated: which picture shows the part?", "send one picture a frame")
        if kind == b"IDAT":
            packed += length
        if kind == b"IEND":
            return packed
        at = end + 4
    raise damaged(f"the PNG has more than {_MAX_CHUNKS} chunks")


def _name(kind: bytes) -> str:
    return kind.decode("ascii", "backslashreplace")
