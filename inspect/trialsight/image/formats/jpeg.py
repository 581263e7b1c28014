"""JPEG, by ITU-T T.81: segments, then one or more scans whose data runs until the next marker.

A JPEG has no checksum. What is missing from a baseline JPEG is seen; a changed bit within a scan is not, nor is the
end of one of a progressive JPEG's scans, where the next scan follows as it should.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trialsight.errors import FrameError
from trialsight.image.formats.size import Size, damaged, memory_bytes, unsupported

_SOI, _EOI, _SOS, _DQT, _DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xDD
_RESTARTS = range(0xD0, 0xD8)
# Start-of-frame markers: C0-CF without DHT (C4), JPG (C8) and DAC (CC). Those that are taken: Huffman-coded, lossy.
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE, _TAKEN = 0xC2, frozenset({0xC0, 0xC1, 0xC2})
_TABLES_AND_NOTES = frozenset({0xC4, 0xFE, *range(0xE0, 0xF0)})  # DHT, COM, APPn
_MARKER = re.compile(rb"\xff+([^\xff])")  # fill bytes may precede a marker
_CHUNK = 2**16  # bytes searched for markers at once: numpy is twice as fast as a regular expression here
_MAX_SEGMENTS = 1000  # an ICC profile has up to 255
_MAX_SCANS = 40  # encoders write about ten; each one costs the decoder a pass over the whole picture
_UNSEEN = 255


@dataclass(frozen=True)
class _Frame:
    """A start-of-frame segment. `sampling`: blocks across and down of each component number."""

    kind: int
    bits: int
    width_px: int
    height_px: int
    sampling: dict[int, tuple[int, int]]

    def units(self, components: list[int]) -> int:
        """MCUs in a scan of these components (T.81 A.2); a scan of one component counts blocks."""
        across = max(across for across, _ in self.sampling.values())
        down = max(down for _, down in self.sampling.values())
        if len(components) > 1:
            return -(-self.width_px // (8 * across)) * -(-self.height_px // (8 * down))
        own_across, own_down = self.sampling[components[0]]
        width, height = -(-self.width_px * own_across // across), -(-self.height_px * own_down // down)
        return -(-width // 8) * -(-height // 8)

    @property
    def blocks(self) -> int:
        return sum(self.units([component]) for component in self.sampling)


@dataclass(frozen=True)
class _Scan:
    """A start-of-scan segment: the components, the band of coefficients, and their bits before and after it.
    `end`: where the marker after its data stands."""

    components: list[int]
    first: int
    last: int
    high: int
    low: int
    end: int


def read_size(data: bytes) -> Size:
    """Raises struct.error, IndexError or ValueError where no frame header precedes the first scan."""
    frame, at = None, 2
    for _ in range(_MAX_SEGMENTS):
        marker, start, at = _segment(data, at)
        if marker in _SOF:
            frame = _frame(data, marker, start)
        if marker == _SOS and frame is not None:
            # Several scans need all coefficients at once, two bytes each.
            whole = frame.kind != _PROGRESSIVE and data[start] == len(frame.sampling)
            coefficients = 0 if whole else frame.blocks * 64 * 2
            return Size(frame.width_px, frame.height_px, memory_bytes(frame.width_px * frame.height_px, coefficients))
    raise ValueError("no frame header")


def check_whole(data: bytes) -> bytes:
    """What the decoder is to be given. Raises FrameError UNDECODABLE: cut short, scans or restart intervals missing,
    a second picture within the first, a kind that is not taken.

    libjpeg fills what a scan lacks with gray when it meets the end marker; where bytes just end, it waits for more and
    OpenCV gives up. So a picture of one scan is handed on without its end marker, but with the eight zero bytes that
    the decoder reads ahead, and needs, even for a whole picture.
    """
    frame, scans = _walk(data)
    _check_scans(frame, scans)
    if frame.kind == _PROGRESSIVE or len(scans) > 1:
        return data
    return b"".join((memoryview(data)[: scans[0].end], bytes(8)))  # one copy; a sum of two would make two


def _walk(data: bytes) -> tuple[_Frame, list[_Scan]]:
    """From marker to marker up to the end of the picture; padding and previews may follow it."""
    frame: _Frame | None = None
    scans: list[_Scan] = []
    at, interval = 2, 0
    for _ in range(_MAX_SEGMENTS):
        marker, start, at = _segment(data, at)
        if marker == _EOI and frame is not None and scans:
            return frame, scans
        if marker in _SOF and frame is None:
            frame = _frame(data, marker, start)
            _check_kind(frame, len(data))
        elif marker == _DQT:
            _check_quantisers(data, start, at)
        elif marker == _DRI:
            (interval,) = struct.unpack_from(">H", data, start)
        elif marker == _SOS and frame is not None and len(scans) < _MAX_SCANS:
            components = _components(data, start, frame)
            restarts = -(-frame.units(components) // interval) - 1 if interval else 0
            first, last, bits = struct.unpack_from("BBB", data, start + 1 + 2 * len(components))
            at = _end_of_scan(data, at, restarts)
            scans.append(_Scan(components, first, last, bits >> 4, bits & 15, at))
        elif marker not in _TABLES_AND_NOTES:
            raise _out_of_place(marker)
    raise damaged(f"the JPEG has more than {_MAX_SEGMENTS} segments")


def _segment(data: bytes, at: int) -> tuple[int, int, int]:
    """The marker at `at`, where its payload starts, and where that ends."""
    found = _MARKER.match(data, at)
    if found is None:
        raise damaged("the JPEG is damaged or cut short between two segments")
    marker, start = found[1][0], found.end()
    if marker in (_SOI, _EOI) or marker in _RESTARTS:
        return marker, start, start
    (length,) = struct.unpack_from(">H", data, start)
    if length < 2 or start + length > len(data):
        raise damaged("the JPEG is damaged or cut short within a segment")
    return marker, start + 2, start + length


def _frame(data: bytes, marker: int, at: int) -> _Frame:
    bits, height, width, count = struct.unpack_from(">BHHB", data, at)
    parts = [struct.unpack_from("BB", data, at + 6 + 3 * index) for index in range(count)]
    sampling = {number: (factors >> 4, factors & 15) for number, factors in parts}
    if len(sampling) != count or not all(1 <= side <= 4 for pair in sampling.values() for side in pair):
        raise damaged("the JPEG frame header is damaged")
    return _Frame(marker, bits, width, height, sampling)


def _check_quantisers(data: bytes, at: int, end: int) -> None:
    """None is zero (T.81 B.2.4.1): libjpeg would multiply by it, and make the picture flat."""
    while at < end:
        wide = data[at] >> 4 != 0
        size = 128 if wide else 64
        table = np.frombuffer(data, ">u2" if wide else np.uint8, 64, at + 1)
        if at + 1 + size > end or not table.all():
            raise damaged("the JPEG is damaged: a quantisation table is cut short or has a zero")
        at += 1 + size


def _check_kind(frame: _Frame, length: int) -> None:
    if frame.kind not in _TAKEN:
        raise unsupported("the JPEG is lossless or arithmetic-coded", "send a baseline or progressive JPEG, or PNG")
    if frame.bits != 8:
        raise unsupported(f"the JPEG has {frame.bits} bits a sample", "send 8 bits, or 16 as PNG or TIFF")
    if len(frame.sampling) not in (1, 3, 4):
        raise unsupported(f"the JPEG has {len(frame.sampling)} components", "send gray, RGB or CMYK")
    if frame.blocks > length * 8:  # a block takes a bit or more
        raise damaged(f"the JPEG says {frame.width_px}x{frame.height_px} pixels, but {length} bytes can't hold as many")


def _components(data: bytes, at: int, frame: _Frame) -> list[int]:
    """Component numbers that a scan names."""
    components = [data[at + 1 + 2 * index] for index in range(data[at])]
    if not components or len(set(components)) != len(components) or not frame.sampling.keys() >= set(components):
        raise damaged("the JPEG is damaged: a scan names components that the picture doesn't have")
    return components


def _end_of_scan(data: bytes, at: int, restarts: int) -> int:
    """Where the marker after the scan stands, once the `restarts` markers within it were seen in their order.

    FF in a scan's data is followed by a stuffed zero (T.81 B.1.1.5), so that any other pair is a marker.
    """
    for seen, (at_marker, marker) in enumerate(_markers(data, at)):
        if marker not in _RESTARTS:
            if seen != restarts:
                raise damaged(f"the JPEG lacks data: {seen} restart markers of {restarts}")
            return at_marker
        if seen == restarts or marker != _RESTARTS[seen % 8]:
            raise damaged(f"the JPEG lacks data: a restart marker is out of order after {seen} of {restarts}")
    raise damaged("the JPEG is cut short: its end marker is missing")


def _markers(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Where each marker stands from `at` on, and which it is."""
    pixels = np.frombuffer(data, np.uint8)
    for start in range(at, len(data) - 1, _CHUNK):
        part = pixels[start : start + _CHUNK + 1]
        places = np.flatnonzero((part[:-1] == 0xFF) & (part[1:] != 0))
        for place in places.tolist():
            if part[place + 1] != 0xFF:  # a fill byte
                yield start + place, int(part[place + 1])


def _check_scans(frame: _Frame, scans: list[_Scan]) -> None:
    """Each component once in a sequential JPEG; each coefficient to its last bit in a progressive one (T.81 G.1.1)."""
    if frame.kind != _PROGRESSIVE:
        if sorted(number for scan in scans for number in scan.components) != sorted(frame.sampling):
            raise damaged("the JPEG lacks data: a component's scan is missing, or there twice")
        return
    bits_left = {number: np.full(64, _UNSEEN) for number in frame.sampling}
    for scan in scans:
        for number in scan.components:
            band = bits_left[number][scan.first : scan.last + 1]
            if (band != (scan.high or _UNSEEN)).any():
                raise damaged("the JPEG is damaged: its scans don't follow each other")
            band[:] = scan.low
    if any(left.any() for left in bits_left.values()):
        raise damaged("the JPEG lacks data: its last scans are missing")


def _out_of_place(marker: int) -> FrameError:
    if marker == _SOS:
        return damaged(f"the JPEG has a scan before its header, or more than {_MAX_SCANS} scans")
    if marker in (_SOI, _EOI) or marker in _SOF:
        return damaged("the JPEG lacks data: another picture begins, or this one ends, too early")
    return damaged(f"the JPEG is damaged: marker FF{marker:02X} is out of place")
