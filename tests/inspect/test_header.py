import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsight.errors import FrameError, FrameFault
from trialsight.image import Limits, check_header, read_header

IMAGE = np.random.default_rng(0).integers(0, 255, (37, 53, 3), dtype=np.uint8)


def encoded(suffix: str, *parameters: int) -> bytes:
    return cv2.imencode(suffix, IMAGE, list(parameters))[1].tobytes()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is this large, and holds no pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (encoded(".jpg"), "jpeg"),
        (encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1), "jpeg"),
        (encoded(".png"), "png"),
        (encoded(".bmp"), "bmp"),
        (encoded(".tiff"), "tiff"),
    ],
)
def test_size_and_format_are_read_without_decoding(data: bytes, name: str) -> None:
    header = read_header(data)
    assert (header.format, header.width_px, header.height_px) == (name, 53, 37)
    assert header.content_type == f"image/{name}"


def test_a_big_endian_tiff_and_a_top_down_bmp_are_read() -> None:
    entries = struct.pack(">HHIHHHHIHH", 256, 3, 1, 640, 0, 257, 3, 1, 480, 0)
    tiff = b"MM\0*" + struct.pack(">IH", 8, 2) + entries
    bmp = b"BM" + bytes(12) + struct.pack("<Iii", 40, 640, -480)
    for data in (tiff, bmp):
        header = read_header(data)
        assert (header.width_px, header.height_px) == (640, 480)


def test_a_jpeg_with_an_exif_block_before_the_frame_header_is_read() -> None:
    data = encoded(".jpg")
    with_note = data[:2] + b"\xff\xe1" + struct.pack(">H", 1002) + b"Exif" + bytes(996) + data[2:]
    assert read_header(with_note).width_px == 53


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", FrameFault.EMPTY),
        (b"hello, this is a text file", FrameFault.NOT_AN_IMAGE),
        (b"GIF89a" + bytes(50), FrameFault.NOT_AN_IMAGE),
        (b"\xff\xd8\xff", FrameFault.UNDECODABLE),
        (encoded(".jpg")[:20], FrameFault.UNDECODABLE),
        (encoded(".png")[:20], FrameFault.UNDECODABLE),
        (encoded(".bmp")[:10], FrameFault.UNDECODABLE),
        (encoded(".tiff")[:9], FrameFault.UNDECODABLE),
        (png_header(0, 10), FrameFault.UNDECODABLE),
        (png_header(30_000, 30_000), FrameFault.TOO_LARGE),
        (b"x" * 2000, FrameFault.TOO_LARGE),
    ],
)
def test_what_is_no_frame_is_named(data: bytes, fault: FrameFault) -> None:
    limits = Limits(max_bytes=1999) if len(data) == 2000 else Limits()
    with pytest.raises(FrameError) as caught:
        check_header(data, limits)
    assert caught.value.fault is fault


@settings(max_examples=400, deadline=None)
@given(
    base=st.sampled_from([encoded(".jpg"), encoded(".png"), encoded(".bmp"), encoded(".tiff")]),
    cut=st.integers(0, 3000),
    edits=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=12),
)
def test_mutated_headers_are_read_or_refused_but_never_crash(
    base: bytes, cut: int, edits: list[tuple[int, int]]
) -> None:
    data = bytearray(base[: max(len(base) - cut, 0)])
    for at, value in edits:
        if at < len(data):
            data[at] = value
    try:
        header = check_header(bytes(data), Limits())
    except FrameError:
        return
    assert header.width_px > 0
    assert header.height_px > 0
