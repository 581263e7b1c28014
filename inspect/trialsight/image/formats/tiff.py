"""TIFF 6.0: a directory of tags, and the strips or tiles that it points to.

libtiff leaves a strip that it can't read black and goes on, so each strip is seen to be there before it decodes.
Only the kinds that cameras and frame grabbers write are taken; a TIFF may be almost anything.
"""

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsight.image.formats.size import Size, damaged, memory_bytes, unsupported

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
_STRIP_OFFSETS, _SAMPLES, _ROWS, _STRIP_BYTES, _PLANAR = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 322, 323, 324, 325, 338, 339
_TYPES = {1: "u1", 3: "u2", 4: "u4"}
_PLAIN, _LZW, _DEFLATE = (1,), (5,), (8, 32946)
_NAMES = {2: "CCITT", 3: "CCITT", 4: "CCITT", 6: "JPEG", 7: "JPEG", 32773: "PackBits"}
# What each photometric interpretation needs: samples a pixel, and bits a sample.
_KINDS = {
    0: ((1, 2), (1, 8, 16)),  # gray, white is zero
    1: ((1, 2), (1, 8, 16)),  # gray, black is zero
    2: ((3, 4), (8, 16)),  # RGB
    3: ((1,), (8,)),  # palette
    5: ((4,), (8,)),  # CMYK
}
_UNASSOCIATED_ALPHA = 2
_MAX_ENTRIES, _MAX_DIRECTORIES, _MAX_PIECES = 512, 8, 32_768
_HOLE = bytes(16)  # an LZW encoder never writes ten zero codes in a row; a file after a power cut has pages of zeros


@dataclass(frozen=True)
class _Directory:
    """`entries`: tag to its type, its count and where its values or their offset stand."""

    data: bytes
    order: str
    entries: dict[int, tuple[int, int, int]]
    next_at: int

    def ints(self, tag: int, most: int, default: int | None = None) -> NDArray[np.int64]:
        """Values of a tag, at most `most`. Raises ValueError where they are missing, or more, or not whole numbers."""
        if tag not in self.entries:
            if default is None:
                raise ValueError(f"tag {tag} is missing")
            return np.array([default])
        kind, count, at = self.entries[tag]
        if kind not in _TYPES or not 1 <= count <= most:
            raise ValueError(f"tag {tag} has {count} values of type {kind}")
        dtype = np.dtype(self.order + _TYPES[kind])
        if count * dtype.itemsize > 4:
            (at,) = struct.unpack_from(self.order + "I", self.data, at)
        return np.frombuffer(self.data, dtype, count, at).astype(np.int64)

    def one(self, tag: int, default: int | None = None) -> int:
        return int(self.ints(tag, 1, default)[0])


@dataclass(frozen=True)
class _Layout:
    """`pieces` strips or tiles of `piece_width` x `piece_height` px, `planes` of them over each other."""

    width_px: int
    height_px: int
    samples: int
    bits: int
    tiled: bool
    piece_width: int
    piece_height: int
    planes: int

    @property
    def pieces(self) -> int:
        across, down = -(-self.width_px // self.piece_width), -(-self.height_px // self.piece_height)
        return across * down * self.planes

    @property
    def row_bytes(self) -> int:
        """Bytes in a row of one piece."""
        return (self.piece_width * (self.samples // self.planes) * self.bits + 7) // 8

    def piece_bytes(self) -> NDArray[np.int64]:
        """Uncompressed length of each piece; the last strip of a plane has only the rows that are left."""
        lengths = np.full(self.pieces, self.row_bytes * self.piece_height)
        if not self.tiled:
            of_plane = self.pieces // self.planes
            lengths[of_plane - 1 :: of_plane] = self.row_bytes * (self.height_px - (of_plane - 1) * self.piece_height)
        return lengths


def read_size(data: bytes) -> Size:
    """Raises struct.error or ValueError where the first directory is cut short or lacks what is needed."""
    directory = _directory(data, *_start(data))
    layout = _layout(directory)
    # libtiff reads a whole strip or tile as it is stored, then as RGBA.
    piece = layout.piece_width * layout.piece_height * (4 + layout.samples * layout.bits // 8)
    return Size(layout.width_px, layout.height_px, memory_bytes(layout.width_px * layout.height_px, piece))


def check_whole(data: bytes) -> bytes:
    """What the decoder is to be given. Raises FrameError UNDECODABLE: strips missing, broken or lying over each other,
    several pictures, a kind that is not taken."""
    order, at = _start(data)
    directory = _directory(data, order, at)
    layout = _layout(directory)
    _check_kind(directory, layout)
    _check_alone(directory, at)
    offsets, lengths = _check_pieces(directory, layout)
    if directory.one(_COMPRESSION, 1) in _DEFLATE:
        _check_deflate(data, offsets, lengths, layout)
    elif directory.one(_COMPRESSION, 1) in _LZW:
        _check_holes(data, offsets, lengths)
    return _without_alpha(directory)


def _start(data: bytes) -> tuple[str, int]:
    """Byte order, and where the first directory lies."""
    order = "<" if data[:2] == b"II" else ">"
    return order, struct.unpack_from(order + "I", data, 4)[0]


def _directory(data: bytes, order: str, at: int) -> _Directory:
    (count,) = struct.unpack_from(order + "H", data, at)
    if not 1 <= count <= _MAX_ENTRIES:
        raise ValueError(f"{count} tags")
    entries = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(order + "HHI", data, entry)
        if tag in entries:
            raise ValueError(f"tag {tag} stands twice")
        entries[tag] = (kind, values, entry + 8)
    # Some writers leave the offset of the next directory out where the file ends.
    end = at + 2 + 12 * count
    tail = data[end : end + 4].ljust(4, b"\0")
    return _Directory(data, order, entries, struct.unpack(order + "I", tail)[0])


def _layout(directory: _Directory) -> _Layout:
    width, height, samples = directory.one(_WIDTH), directory.one(_HEIGHT), directory.one(_SAMPLES, 1)
    bits = directory.ints(_BITS, 8, default=1)
    tiled = _TILE_WIDTH in directory.entries
    piece_width = directory.one(_TILE_WIDTH) if tiled else width
    piece_height = directory.one(_TILE_HEIGHT) if tiled else min(directory.one(_ROWS, height), height)
    planes = samples if directory.one(_PLANAR, 1) == 2 else 1
    if min(width, height, samples, piece_width, piece_height) < 1 or len(set(bits.tolist())) != 1:
        raise ValueError("sizes and bits must be positive and the same for all samples")
    return _Layout(width, height, samples, int(bits[0]), tiled, piece_width, piece_height, planes)


def _check_kind(directory: _Directory, layout: _Layout) -> None:
    compression, photometric = directory.one(_COMPRESSION, 1), directory.one(_PHOTOMETRIC)
    if compression not in _PLAIN + _LZW + _DEFLATE:
        name = _NAMES.get(compression, f"method {compression}")
        raise unsupported(f"the TIFF is compressed by {name}", "send it uncompressed or with LZW or deflate")
    samples, bits = _KINDS.get(photometric, ((), ()))
    if layout.samples not in samples or layout.bits not in bits or directory.one(_FILL_ORDER, 1) != 1:
        raise unsupported(
            f"the TIFF has {layout.samples} samples of {layout.bits} bits a pixel, photometric {photometric}",
            "send gray or RGB of 8 or 16 bits",
        )
    if (directory.ints(_SAMPLE_FORMAT, 8, default=1) != 1).any():
        raise unsupported("the TIFF has signed or floating-point samples", "send unsigned 8 or 16 bits")


def _check_alone(directory: _Directory, at: int) -> None:
    """One picture a file; smaller versions of it (previews) and masks may follow."""
    seen = {at}
    while directory.next_at != 0:
        at = directory.next_at
        if at in seen or len(seen) == _MAX_DIRECTORIES:
            raise damaged("the TIFF is damaged: its directories run in a circle, or are too many")
        seen.add(at)
        directory = _directory(directory.data, directory.order, at)
        if directory.one(_SUBFILE, 0) & 5 == 0:
            raise unsupported("the TIFF holds several pictures: which one shows the part?", "send one picture a frame")


def _check_pieces(directory: _Directory, layout: _Layout) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offsets and lengths of all strips or tiles: as many as needed, within the file, none over another."""
    count = layout.pieces
    if count > _MAX_PIECES:
        raise unsupported(f"the TIFF has {count} strips or tiles; at most {_MAX_PIECES} are taken", "write larger ones")
    offsets = directory.ints(_TILE_OFFSETS if layout.tiled else _STRIP_OFFSETS, count)
    lengths = directory.ints(_TILE_BYTES if layout.tiled else _STRIP_BYTES, count)
    if len(offsets) != count or len(lengths) != count:
        raise damaged(f"the TIFF lacks data: {min(len(offsets), len(lengths))} strips or tiles of {count}")
    if (lengths < 1).any() or (offsets < 8).any() or (offsets + lengths > len(directory.data)).any():
        raise damaged("the TIFF is cut short: a strip or tile lies beyond its end")
    inner = np.argsort(offsets)
    if (offsets[inner][1:] < (offsets + lengths)[inner][:-1]).any():
        raise damaged("the TIFF is damaged: its strips or tiles lie over each other")
    if directory.one(_COMPRESSION, 1) in _PLAIN and (lengths < layout.piece_bytes()).any():
        raise damaged("the TIFF lacks data: a strip or tile is too short for its rows")
    return offsets, lengths


def _check_deflate(data: bytes, offsets: NDArray[np.int64], lengths: NDArray[np.int64], layout: _Layout) -> None:
    """Inflate each piece: libtiff ignores a wrong checksum and fills a short piece. A last strip may be padded."""
    view, most = memoryview(data), layout.row_bytes * layout.piece_height
    for at, length, least in zip(offsets.tolist(), lengths.tolist(), layout.piece_bytes().tolist(), strict=True):
        stream = zlib.decompressobj()
        try:
            pixels = stream.decompress(view[at : at + length], most + 1)
        except zlib.error:
            raise damaged("the TIFF is damaged: a strip or tile doesn't inflate") from None
        if not stream.eof or not least <= len(pixels) <= most:
            raise damaged("the TIFF is damaged: a strip or tile doesn't inflate to its size")


def _check_holes(data: bytes, offsets: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
    for at, length in zip(offsets.tolist(), lengths.tolist(), strict=True):
        if data.find(_HOLE, at, at + length) >= 0:
            raise damaged("the TIFF lacks data: a strip or tile has a hole of zeros")


def _without_alpha(directory: _Directory) -> bytes:
    """libtiff darkens colours by an unassociated alpha; declared as unspecified, it is left out instead."""
    data = directory.data
    extra = directory.ints(_EXTRA_SAMPLES, 4, default=0)
    if extra.tolist() != [_UNASSOCIATED_ALPHA]:
        return data
    kind, _, at = directory.entries[_EXTRA_SAMPLES]
    return data[:at] + bytes(np.dtype(_TYPES[kind]).itemsize) + data[at + np.dtype(_TYPES[kind]).itemsize :]
