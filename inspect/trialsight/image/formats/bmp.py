"""BMP, by the BITMAPINFOHEADER layout: no checksum, no compression that is taken, so its size is plain arithmetic."""

import struct

from trialsight.image.formats.size import Size, damaged, memory_bytes, unsupported

_CORE = 12  # OS/2's short header, which has no compression field
_HEADERS = frozenset({_CORE, 40, 52, 56, 108, 124})
_RGB, _BITFIELDS = 0, 3
_COMPRESSIONS = {1: "RLE8", 2: "RLE4", 4: "JPEG", 5: "PNG"}
_BGRX = (0xFF0000, 0xFF00, 0xFF)
_555, _565 = (0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)


def read_size(data: bytes) -> Size:
    """Raises struct.error where the header is cut short. A negative height (rows from the top) counts as positive."""
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == _CORE else "<ii", data, 18)
    return Size(width, abs(height), memory_bytes(width * abs(height)))


def check_whole(data: bytes) -> bytes:
    """Raises FrameError UNDECODABLE: rows missing, a compressed BMP, an unusual order of the colour bits."""
    offset, header = struct.unpack_from("<II", data, 10)
    if header not in _HEADERS:
        raise unsupported(f"the BMP has a header of {header} bytes, which no common writer makes", "send it as PNG")
    (bits,) = struct.unpack_from("<H", data, 24 if header == _CORE else 28)
    compression, colours = (_RGB, 0) if header == _CORE else struct.unpack_from("<I12xI", data, 30)
    _check_kind(data, header, bits, compression)
    palette = 0 if bits > 8 else (colours or 1 << bits) * (3 if header == _CORE else 4)
    masks = 12 if header == 40 and compression == _BITFIELDS else 0
    size = read_size(data)
    row = (size.width_px * bits + 31) // 32 * 4
    if bits <= 8 and colours > 1 << bits:
        raise damaged(f"the BMP header names {colours} colours at {bits} bits a pixel")
    if offset < 14 + header + masks + palette:
        raise damaged("the BMP's pixels would begin within its header")
    if offset + row * size.height_px > len(data):
        raise damaged(f"the BMP is cut short: {len(data)} bytes of {offset + row * size.height_px}")
    return data


def _check_kind(data: bytes, header: int, bits: int, compression: int) -> None:
    if compression not in (_RGB, _BITFIELDS):
        name = _COMPRESSIONS.get(compression, f"method {compression}")
        raise unsupported(f"the BMP is compressed ({name})", "send it uncompressed, or as PNG")
    if bits not in (1, 4, 8, 16, 24, 32):
        raise damaged(f"the BMP header says {bits} bits a pixel")
    if compression == _BITFIELDS:
        masks = struct.unpack_from("<III", data, 54)
        # OpenCV takes 32-bit pixels as BGRX whatever the masks say, and looks for 16-bit masks behind a short header.
        known = {32: (_BGRX,), 16: (_555, _565) if header == 40 else ()}.get(bits, ())
        if masks not in known:
            raise unsupported(f"the BMP's {bits} bits a pixel are in an unusual order", "send it as 24-bit BMP or PNG")
