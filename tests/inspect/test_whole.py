"""What a decoder would complete by itself, format by format, is refused; so is what would cost it too much."""

import io
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from PIL import Image

from trialsight.errors import FrameError, FrameFault
from trialsight.image import Limits, check_header, decode, read_header

NOISE = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
Y, X = np.mgrid[0:120, 0:160]
SMOOTH = (np.stack([X, Y, X + Y], -1) * 0.7 + NOISE * 0.1).astype(np.uint8)  # nearer to a photograph than noise is
FLAT = np.full((64, 96, 3), 128, np.uint8)  # what libjpeg fills with


def saved(kind: str, pixels: np.ndarray = NOISE, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def without(data: bytes, at: int, length: int) -> bytes:
    return data[:at] + data[at + length :]


def with_bytes(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def png_of(*parts: tuple[bytes, bytes]) -> bytes:
    out = b"\x89PNG\r\n\x1a\n"
    for kind, body in parts:
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return out


def tiff_of(tags: dict[int, tuple[str, list[int]]], pieces: list[bytes], next_at: int = 0, order: str = "<") -> bytes:
    """`tags`: H (short) or I (long), and the values; the offsets of the strips, or tiles, are put in."""
    offsets = 324 if 322 in tags else 273
    tags = tags | {offsets: ("I", [0] * len(pieces))}
    size = {"H": 2, "I": 4}
    values_at = 8 + 2 + 12 * len(tags) + 4
    at = values_at + sum(size[form] * len(values) for form, values in tags.values())
    tags[offsets] = ("I", [at + sum(map(len, pieces[:index])) for index in range(len(pieces))])
    entries = values = b""
    for tag, (form, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{form}", *numbers)
        entries += struct.pack(order + "HHI", tag, {"H": 3, "I": 4}[form], len(numbers))
        entries += packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack(order + "I", values_at + len(values))
        values += packed
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(tags))
    return (start + entries + struct.pack(order + "I", next_at) + values).ljust(at, b"\0") + b"".join(pieces)


STRIPS = [NOISE[top : top + 30].tobytes() for top in range(0, 120, 30)]
PACKED = [zlib.compress(strip) for strip in STRIPS]
TAGS = {256: ("H", [160]), 257: ("H", [120]), 258: ("H", [8, 8, 8]), 262: ("H", [2]), 277: ("H", [3])} | {
    278: ("H", [30]),
    279: ("I", [len(strip) for strip in STRIPS]),
}
PADDED = np.pad(NOISE, ((0, 24), (0, 32), (0, 0)))  # tiles are whole ones of 64 x 48, also at the edge
TILES = [PADDED[top : top + 48, left : left + 64].tobytes() for top in (0, 48, 96) for left in (0, 64, 128)]
TILED = {tag: TAGS[tag] for tag in (256, 257, 258, 262, 277)} | {
    322: ("H", [64]),
    323: ("H", [48]),
    325: ("I", [len(tile) for tile in TILES]),
}
PLANES = [NOISE[..., channel].tobytes() for channel in range(3)]
PLANAR = TAGS | {278: ("H", [120]), 279: ("I", [160 * 120] * 3), 284: ("H", [2])}
DEFLATE = TAGS | {259: ("H", [8]), 279: ("I", [len(strip) for strip in PACKED])}

JPEG = saved("JPEG", SMOOTH, quality=90)
PROGRESSIVE = saved("JPEG", SMOOTH, quality=90, progressive=True)
FINE = saved("JPEG", SMOOTH, quality=90, progressive=True, subsampling=0)
RESTARTS = cv2.imencode(".jpg", SMOOTH, [cv2.IMWRITE_JPEG_RST_INTERVAL, 10])[1].tobytes()
HALF = len(JPEG) // 2
LAST_SCAN = PROGRESSIVE.rindex(b"\xff\xda")
PNG = saved("PNG")
IHDR = next(body for kind, body in chunks(PNG) if kind == b"IHDR")
IDAT = b"".join(body for kind, body in chunks(PNG) if kind == b"IDAT")
BMP = saved("BMP")
LZW = cv2.imencode(".tiff", NOISE)[1].tobytes()


def test_the_frames_of_the_tables_are_whole_before_they_are_harmed() -> None:
    for data in (
        PNG,
        BMP,
        tiff_of(TAGS, STRIPS),
        tiff_of(TAGS, STRIPS, order=">"),
        tiff_of(DEFLATE, PACKED),
        tiff_of(TILED, TILES),
        tiff_of(PLANAR, PLANES),
    ):
        assert np.array_equal(decode(data, read_header(data)), NOISE)
    for data in (JPEG, PROGRESSIVE, FINE, RESTARTS, LZW):
        assert decode(data, read_header(data)).shape == NOISE.shape


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tiff"])
@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
def test_a_frame_that_is_cut_short_is_refused(suffix: str, share: float) -> None:
    data = cv2.imencode(suffix, NOISE)[1].tobytes()
    data = data[: int(len(data) * share)]
    with pytest.raises(FrameError) as caught:
        decode(data, read_header(data))
    assert caught.value.fault is FrameFault.UNDECODABLE


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(JPEG[:HALF] + b"\xff\xd9", id="jpeg: end marker put after a half"),
        pytest.param(without(JPEG, HALF, 400), id="jpeg: a hole in the scan"),
        pytest.param(JPEG[:HALF] + JPEG, id="jpeg: the next picture begins within it"),
        pytest.param(with_bytes(JPEG, HALF, b"\xff\x80"), id="jpeg: an odd marker in the scan"),
        pytest.param(with_bytes(JPEG, JPEG.index(b"\xff\xc0") + 5, b"\0\xf0"), id="jpeg: twice as high in its header"),
        pytest.param(with_bytes(JPEG, JPEG.index(b"\xff\xdb") + 5, b"\0"), id="jpeg: quantisation by zero"),
        pytest.param(
            without(RESTARTS, at := RESTARTS.index(b"\xff\xd3"), RESTARTS.index(b"\xff\xd4") - at),
            id="jpeg: a restart interval missing",
        ),
        pytest.param(without(RESTARTS, RESTARTS.index(b"\xff\xd3"), 2), id="jpeg: a restart marker missing"),
        pytest.param(PROGRESSIVE[:LAST_SCAN] + b"\xff\xd9", id="jpeg: last scan missing"),
        pytest.param(PROGRESSIVE[: len(PROGRESSIVE) - 2], id="jpeg: progressive without its end"),
        pytest.param(with_bytes(PNG, len(PNG) // 2, bytes([PNG[len(PNG) // 2] ^ 1])), id="png: one bit changed"),
        pytest.param(PNG[:-12], id="png: end chunk missing"),
        pytest.param(png_of((b"IHDR", IHDR), (b"IEND", b"")), id="png: no pixels"),
        pytest.param(
            png_of((b"IHDR", IHDR), (b"IDAT", zlib.compress(zlib.decompress(IDAT)[:30_000])), (b"IEND", b"")),
            id="png: too few pixels, right checksums",
        ),
        pytest.param(
            png_of((b"IHDR", IHDR), (b"IHDR", IHDR), (b"IDAT", IDAT), (b"IEND", b"")), id="png: two headers"
        ),
        pytest.param(png_of((b"IHDR", IHDR), *[(b"IDAT", b"")] * 20_001, (b"IEND", b"")), id="png: endless chunks"),
        pytest.param(BMP[:-1], id="bmp: last byte missing"),
        pytest.param(with_bytes(BMP, 10, bytes(4)), id="bmp: pixels within the header"),
        pytest.param(with_bytes(BMP, 28, b"\x09"), id="bmp: nine bits a pixel"),
        pytest.param(tiff_of(TAGS, STRIPS)[:-1], id="tiff: last byte missing"),
        pytest.param(tiff_of(TAGS | {279: ("I", [100] * 4)}, STRIPS), id="tiff: strips too short"),
        pytest.param(tiff_of(TAGS | {279: ("I", [14_400] * 3)}, STRIPS[:3]), id="tiff: a strip missing"),
        pytest.param(tiff_of(TAGS, [*STRIPS[:3], b""]), id="tiff: last strip beyond the end"),
        pytest.param(tiff_of(TAGS, [b"", *STRIPS]), id="tiff: strips over each other"),
        pytest.param(tiff_of(TILED, TILES)[:-1], id="tiff: last tile cut short"),
        pytest.param(tiff_of(PLANAR | {279: ("I", [160 * 120] * 2)}, PLANES[:2]), id="tiff: a colour missing"),
        pytest.param(tiff_of(TAGS, STRIPS, next_at=8), id="tiff: directories in a circle"),
        pytest.param(tiff_of(DEFLATE, [PACKED[0], PACKED[1][:-4] + b"abcd", *PACKED[2:]]), id="tiff: wrong checksum"),
        pytest.param(
            tiff_of(DEFLATE | {279: ("I", [*map(len, PACKED[:3]), len(zlib.compress(STRIPS[3][:999]))])},
                    [*PACKED[:3], zlib.compress(STRIPS[3][:999])]),
            id="tiff: a strip inflates to too little",
        ),
        pytest.param(with_bytes(LZW, len(LZW) // 2, bytes(200)), id="tiff: a hole of zeros in LZW data"),
    ],
)  # fmt: skip
def test_a_picture_that_lacks_something_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        decode(data, check_header(data, Limits()))
    assert caught.value.fault is FrameFault.UNDECODABLE
    assert caught.value.remedy


@pytest.mark.parametrize("quality", [50, 95])
def test_a_flat_gray_jpeg_is_no_missing_one(quality: int) -> None:
    """Each of its blocks looks as if libjpeg had filled it."""
    data = cv2.imencode(".jpg", FLAT, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])[1].tobytes()
    assert np.array_equal(decode(data, read_header(data)), FLAT)


def black_png(width: int, height: int) -> bytes:
    """As small as so many pixels can be."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return png_of((b"IHDR", header), (b"IDAT", zlib.compress(bytes((width + 1) * height), 9)), (b"IEND", b""))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        pytest.param(black_png(9000, 4000), FrameFault.TOO_LARGE, id="png: a bomb of 36 megapixels"),
        pytest.param(with_bytes(BMP, 18, struct.pack("<ii", 5, -(2**31))), FrameFault.TOO_LARGE, id="bmp: overflow"),
        pytest.param(
            tiff_of(TAGS | {256: ("I", [5000]), 257: ("I", [5000]), 278: ("I", [5000])}, STRIPS),
            FrameFault.TOO_LARGE,
            id="tiff: one strip of 25 megapixels, which libtiff would hold three times",
        ),
        pytest.param(
            with_bytes(FINE, FINE.index(b"\xff\xc2") + 5, struct.pack(">HH", 5000, 5000)),
            FrameFault.TOO_LARGE,
            id="jpeg: progressive of 25 megapixels, whose coefficients libjpeg would hold",
        ),
        pytest.param(
            with_bytes(JPEG, JPEG.index(b"\xff\xc0") + 5, struct.pack(">HH", 5000, 5000)),
            FrameFault.UNDECODABLE,
            id="jpeg: more pixels than its bytes can hold",
        ),
        pytest.param(
            png_of((b"IHDR", struct.pack(">II", 5000, 5000) + IHDR[8:]), (b"IDAT", IDAT[:9000]), (b"IEND", b"")),
            FrameFault.UNDECODABLE,
            id="png: more pixels than its bytes can hold",
        ),
        pytest.param(b"\xff\xd8" + b"\xff" * 5_000_000, FrameFault.UNDECODABLE, id="jpeg: endless fill bytes"),
        pytest.param(
            b"\xff\xd8" + b"\xff\xe0\0\2" * 1_000_000 + JPEG[2:], FrameFault.UNDECODABLE, id="jpeg: endless segments"
        ),
    ],
)  # fmt: skip
def test_what_would_cost_too_much_is_refused_before_decoding(
    data: bytes, fault: FrameFault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(cv2, "imdecode")
    with pytest.raises(FrameError) as caught:
        decode(data, check_header(data, Limits()))
    assert caught.value.fault is fault


def test_the_decoder_says_nothing_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    """The error says it all; OpenCV would add lines of its own to a service's log."""
    warned = cv2.imencode(".tiff", np.zeros((40, 40, 4), np.uint16))[1].tobytes()  # has a sample that it doesn't name
    for data in (warned, JPEG, PROGRESSIVE, PNG):
        decode(data, read_header(data))
    for data in (JPEG[:HALF] + b"\xff\xd9", without(JPEG, HALF, 400), PNG[:-12], BMP[:-9], tiff_of(TAGS, STRIPS)[:-9]):
        with pytest.raises(FrameError):
            decode(data, read_header(data))
    assert capfd.readouterr() == ("", "")
