"""PNG, by ISO/IEC 15948: a chain of chunks, each with its length, its kind and a CRC."""

import struct
import zlib

from trialsight.image.formats.size import Size, damaged, memory_bytes, unsupported

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type to samples a pixel
_MAX_INFLATION = 1032  # deflate turns a byte into at most this many
_UNSEEN = 4 * 2**30  # so much may hide behind the pixels unlooked for: some ten seconds of one worker
_STEP = 2**20
_PACKED_TEXTS = (b"zTXt", b"iTXt")
_MAX_CHUNKS = 20_000  # encoders write 8 KiB of pixels a chunk or more; a file of empty chunks only costs time


def read_size(data: bytes) -> Size:
    """Raises struct.error or ValueError where there is no header."""
    if data[12:16] != b"IHDR":
        raise ValueError("IHDR expected")
    width, height = struct.unpack_from(">II", data, 16)
    return Size(width, height, memory_bytes(width * height))


def check_whole(data: bytes) -> bytes:
    """What to decode: `data` without its packed texts, each of which libpng would unpack to 8 MB.

    Raises FrameError UNDECODABLE: a broken or missing chunk, too little or too much data for so many pixels, an
    animation.
    """
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    if colour not in _SAMPLES:
        raise damaged(f"the PNG header names colour type {colour}, which doesn't exist")
    pixels, texts = _walk(data)
    packed, needed = sum(map(len, pixels)), height * ((width * _SAMPLES[colour] * depth + 7) // 8)
    if needed > packed * _MAX_INFLATION:
        raise damaged(f"the PNG says {width}x{height} pixels, but {packed} bytes can't hold as many")
    most = 2 * needed + 65_536  # a filter byte a row, the passes of an interlaced picture, stored blocks
    if packed > most or (packed * _MAX_INFLATION > needed + _UNSEEN and _inflates_beyond(pixels, most)):
        raise damaged(f"the PNG unpacks to more than its {width}x{height} pixels")
    return _without(data, texts) if texts else data


def _walk(data: bytes) -> tuple[list[memoryview], list[slice]]:
    """The pixel data's pieces, and where packed texts stand, once every chunk up to the end is seen to be whole."""
    view = memoryview(data)
    at = len(SIGNATURE)
    pixels: list[memoryview] = []
    texts: list[slice] = []
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
            pixels.append(view[at + 8 : end])
        if kind in _PACKED_TEXTS:
            texts.append(slice(at, end + 4))
        if kind == b"IEND":
            return pixels, texts
        at = end + 4
    raise damaged(f"the PNG has more than {_MAX_CHUNKS} chunks")


def _inflates_beyond(pixels: list[memoryview], most: int) -> bool:
    """Costs about what the decoder's own unpacking does, so it is asked only where much could hide."""
    unpack, total = zlib.decompressobj(), 0
    for piece in pixels:
        left: bytes | memoryview = piece
        while left and not unpack.eof:
            total += len(unpack.decompress(left, _STEP))
            if total > most:
                return True
            left = unpack.unconsumed_tail
    return False


def _without(data: bytes, cuts: list[slice]) -> bytes:
    kept, at = [], 0
    for cut in cuts:
        kept.append(data[at : cut.start])
        at = cut.stop
    return b"".join([*kept, data[at:]])


def _name(kind: bytes) -> str:
    return kind.decode("ascii", "backslashreplace")
