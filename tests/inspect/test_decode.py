import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from trialsight.card import Preparation
from trialsight.errors import FrameError, FrameFault
from trialsight.image import decode, read_header
from trialsight.prepare import Preparer

RED = np.zeros((48, 64, 3), np.uint8)
RED[..., 2] = 230  # OpenCV writes BGR

Y, X = np.mgrid[0:48, 0:64]
RGB = np.stack([X * 4, Y * 5, (X + Y) * 2], -1).astype(np.uint8)  # no two corners alike
PICTURE = Image.fromarray(RGB)
GRAY = PICTURE.convert("L")
PALETTE = PICTURE.quantize(64)
DEEP = RGB.astype(np.uint16) * 257


def encoded(image: np.ndarray, suffix: str, *parameters: int) -> bytes:
    return cv2.imencode(suffix, image, list(parameters))[1].tobytes()


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"))


def with_alpha(image: Image.Image) -> Image.Image:
    """Half transparent on the left, opaque on the right."""
    out = image.copy()
    out.putalpha(Image.fromarray((X * 4).astype(np.uint8)))
    return out


def interlaced_png() -> bytes:
    """Seven passes, each over a grid of its own (ISO/IEC 15948, 8.2)."""
    raw = b""
    grids = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    for left, top, across, down in grids:
        raw += b"".join(b"\0" + row.tobytes() for row in RGB[top::down, left::across])
    out = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 1)
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")):
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return out


def bmp(bits: int, rows: bytes, compression: int = 0, masks: tuple[int, ...] = (), height: int = 48) -> bytes:
    """A BMP of 64 px width from its rows, for the kinds that no library writes."""
    head = struct.pack("<IiiHHIIiiII", 40, 64, height, 1, bits, compression, len(rows), 0, 0, 0, 0)
    head += struct.pack(f"<{len(masks)}I", *masks)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(rows), 0, 0, 14 + len(head)) + head + rows


def bgr555() -> bytes:
    red, green, blue = (RGB[::-1, :, channel].astype(np.uint16) >> 3 for channel in range(3))
    return (red << 10 | green << 5 | blue).astype("<u2").tobytes()


def core_bmp() -> bytes:
    """With the twelve-byte header of OS/2."""
    rows = RGB[::-1, :, ::-1].tobytes()
    return b"BM" + struct.pack("<IHHIIHHHH", 26 + len(rows), 0, 0, 26, 12, 64, 48, 1, 24) + rows


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tiff"])
def test_pixels_come_as_rgb(suffix: str) -> None:
    data = encoded(RED, suffix)
    pixel = decode(data, read_header(data))[20, 30]
    assert pixel[0] > 220
    assert max(pixel[1:]) < 10


@pytest.mark.parametrize(
    ("data", "expected", "off"),
    [
        pytest.param(saved(PICTURE, "JPEG", quality=98), RGB, 5, id="jpeg baseline"),
        pytest.param(saved(PICTURE, "JPEG", quality=98, progressive=True), RGB, 5, id="jpeg progressive"),
        pytest.param(saved(PICTURE, "JPEG", quality=98, optimize=True, subsampling=0), RGB, 4, id="jpeg 4:4:4"),
        pytest.param(saved(GRAY, "JPEG", quality=98), pixels(GRAY), 2, id="jpeg gray"),
        pytest.param(saved(PICTURE.convert("CMYK"), "JPEG", quality=98, subsampling=0), RGB, 5, id="jpeg cmyk"),
        pytest.param(encoded(RGB[..., ::-1], ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2), RGB, 9, id="jpeg restarts"),
        pytest.param(saved(GRAY, "PNG"), pixels(GRAY), 0, id="png gray"),
        pytest.param(saved(GRAY.convert("1"), "PNG"), pixels(GRAY.convert("1")), 0, id="png 1 bit"),
        pytest.param(saved(PALETTE, "PNG"), pixels(PALETTE), 0, id="png palette"),
        pytest.param(saved(PICTURE.quantize(4), "PNG", bits=2), pixels(PICTURE.quantize(4)), 0, id="png 2-bit palette"),
        pytest.param(saved(PALETTE, "PNG", transparency=3), pixels(PALETTE), 0, id="png transparent colour"),
        pytest.param(saved(with_alpha(PICTURE), "PNG"), RGB, 0, id="png rgba"),
        pytest.param(saved(with_alpha(GRAY), "PNG"), pixels(GRAY), 0, id="png gray with alpha"),
        pytest.param(interlaced_png(), RGB, 0, id="png interlaced"),
        pytest.param(encoded(DEEP[..., ::-1], ".png"), RGB, 0, id="png 16 bit rgb"),
        pytest.param(encoded(DEEP[..., 0], ".png"), np.repeat(RGB[..., :1], 3, 2), 0, id="png 16 bit gray"),
        pytest.param(encoded(np.dstack([DEEP, DEEP[..., 0]])[..., [2, 1, 0, 3]], ".png"), RGB, 0, id="png 16 bit rgba"),
        pytest.param(saved(GRAY, "BMP"), pixels(GRAY), 0, id="bmp gray"),
        pytest.param(saved(GRAY.convert("1"), "BMP"), pixels(GRAY.convert("1")), 0, id="bmp 1 bit"),
        pytest.param(saved(PALETTE, "BMP"), pixels(PALETTE), 0, id="bmp palette"),
        pytest.param(saved(with_alpha(PICTURE), "BMP"), RGB, 0, id="bmp 32 bit"),
        pytest.param(bmp(16, bgr555()), RGB & 0xF8, 0, id="bmp 16 bit"),
        pytest.param(bmp(16, bgr555(), 3, (0x7C00, 0x3E0, 0x1F)), RGB & 0xF8, 0, id="bmp 16 bit with masks"),
        pytest.param(bmp(24, RGB[..., ::-1].tobytes(), height=-48), RGB, 0, id="bmp from the top"),
        pytest.param(core_bmp(), RGB, 0, id="bmp of OS/2"),
        pytest.param(saved(GRAY, "TIFF"), pixels(GRAY), 0, id="tiff gray"),
        pytest.param(saved(GRAY.convert("1"), "TIFF"), pixels(GRAY.convert("1")), 0, id="tiff 1 bit"),
        pytest.param(saved(PALETTE, "TIFF"), pixels(PALETTE), 0, id="tiff palette"),
        pytest.param(saved(PICTURE, "TIFF", compression="tiff_lzw"), RGB, 0, id="tiff lzw"),
        pytest.param(saved(PICTURE, "TIFF", compression="tiff_adobe_deflate"), RGB, 0, id="tiff deflate"),
        pytest.param(encoded(RGB[..., ::-1], ".tiff"), RGB, 0, id="tiff lzw with predictor"),
        pytest.param(encoded(DEEP[..., ::-1], ".tiff"), RGB, 0, id="tiff 16 bit"),
        pytest.param(saved(PICTURE.convert("CMYK"), "TIFF"), RGB, 0, id="tiff cmyk"),
        pytest.param(saved(with_alpha(PICTURE), "TIFF"), RGB, 0, id="tiff rgba"),
        pytest.param(saved(with_alpha(GRAY), "TIFF"), pixels(GRAY), 0, id="tiff gray with alpha"),
    ],
)
def test_each_kind_gives_the_colours_that_it_stores(data: bytes, expected: np.ndarray, off: int) -> None:
    found = decode(data, read_header(data))
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected.astype(int)).mean() <= off / 3
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= off * 3


def patched(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def jpeg_frame(data: bytes) -> int:
    """Where the start-of-frame marker stands."""
    return data.index(b"\xff\xc0")


JPEG = saved(PICTURE, "JPEG")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (patched(JPEG, jpeg_frame(JPEG) + 4, b"\x0c"), "12 bits"),
        (patched(JPEG, jpeg_frame(JPEG) + 1, b"\xc9"), "arithmetic"),
        (patched(JPEG, jpeg_frame(JPEG) + 1, b"\xc3"), "lossless"),
        (saved(PICTURE, "PNG", save_all=True, append_images=[PICTURE.rotate(180)]), "animated"),
        (bmp(8, b"\x40\x01" * 48 + b"\0\1", 1), "RLE8"),
        (bmp(32, RGB[..., [0, 1, 2, 0]].tobytes(), 3, (0xFF, 0xFF00, 0xFF0000)), "unusual order"),
        (saved(PICTURE, "TIFF", save_all=True, append_images=[PICTURE]), "several pictures"),
        (saved(PICTURE, "TIFF", compression="jpeg"), "JPEG"),
        (saved(PICTURE, "TIFF", compression="packbits"), "PackBits"),
        (saved(GRAY.convert("1"), "TIFF", compression="group4"), "CCITT"),
        (saved(PICTURE, "TIFF", big_tiff=True), "BigTIFF"),
        (saved(Image.fromarray(RGB[..., 0].astype(np.float32)), "TIFF"), "32 bits"),
        (saved(Image.fromarray(RGB[..., 0].astype(np.int32)), "TIFF"), "32 bits"),
        (saved(PICTURE.convert("YCbCr"), "TIFF"), "photometric 6"),
        (encoded(RGB[..., 0].astype(np.int8), ".tiff"), "signed"),
    ],
)
def test_other_kinds_are_refused_by_name(data: bytes, why: str) -> None:
    with pytest.raises(FrameError, match=why) as caught:
        decode(data, read_header(data))
    assert caught.value.fault is FrameFault.UNDECODABLE
    assert caught.value.remedy


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_every_orientation_ends_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {0x0112: orientation}} if kind == "TIFF" else {"exif": exif, "quality": 98, "subsampling": 0}
    data = saved(PICTURE, kind, **options)
    expected = pixels(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    found = decode(data, read_header(data))
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 2


def test_a_preview_after_the_picture_of_a_tiff_is_no_second_picture() -> None:
    data = saved(PICTURE, "TIFF", save_all=True, append_images=[PICTURE.resize((16, 12))])
    width = data.rindex(struct.pack("<HHII", 256, 4, 1, 16))  # the second directory's first tag
    data = patched(data, width, struct.pack("<HHII", 254, 4, 1, 1))  # NewSubfileType: a reduced version
    assert np.array_equal(decode(data, read_header(data)), RGB)


def test_padding_after_the_end_of_a_jpeg_is_no_fault() -> None:
    data = encoded(RED, ".jpg") + bytes(64)
    assert decode(data, read_header(data)).shape == (48, 64, 3)


@pytest.mark.parametrize("reduced", [1, 2, 4])
def test_reduced_decode_gives_the_same_picture_smaller(reduced: int) -> None:
    smooth = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 255, (256, 384, 3), dtype=np.uint8), (0, 0), 9)
    smooth = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)
    data = encoded(smooth, ".jpg")
    assert decode(data, read_header(data), reduced).shape == (256 // reduced, 384 // reduced, 3)
    whole = Preparer(Preparation(96, 64)).decode(data, read_header(data))
    small = Preparer(Preparation(96, 64, reduced_decode=reduced)).decode(data, read_header(data))
    assert small.frame_size_px == (384, 256)
    assert np.abs(whole.pixels.astype(int) - small.pixels.astype(int)).max() <= 6


@pytest.mark.parametrize("reduced", [1, 2, 4, 8])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (16, 16), (333, 17)])
def test_the_decoder_sees_the_very_pixels_of_the_file(size: tuple[int, int], subsampling: int, reduced: int) -> None:
    """`decode` hands a baseline JPEG on without its end marker."""
    noise = np.random.default_rng(3).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), "JPEG", subsampling=subsampling)
    flags = {1: 0, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}
    bare = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | flags[reduced])
    assert np.array_equal(decode(data, read_header(data), reduced), bare[..., ::-1])


def test_an_exif_quarter_turn_is_undone_and_the_geometry_is_the_upright_one() -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)
    data = encoded(RED, ".jpg")
    turned = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    preparation = Preparation(24, 32, frame_width_px=48, frame_height_px=64)
    prepared = Preparer(preparation).decode(turned, read_header(turned))
    assert prepared.frame_size_px == (48, 64)
    assert prepared.pixels.shape == (32, 24, 3)


def test_another_geometry_than_the_recipes_is_refused() -> None:
    data = encoded(RED, ".png")
    with pytest.raises(FrameError, match=r"64x48.*640x480") as caught:
        Preparer(Preparation(32, 32, frame_width_px=640, frame_height_px=480)).decode(data, read_header(data))
    assert caught.value.fault is FrameFault.WRONG_GEOMETRY
