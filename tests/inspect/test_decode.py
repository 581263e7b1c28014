import struct

import cv2
import numpy as np
import pytest

from trialsight.card import Preparation
from trialsight.errors import FrameError, FrameFault
from trialsight.image import decode, read_header
from trialsight.prepare import Preparer

RED = np.zeros((48, 64, 3), np.uint8)
RED[..., 2] = 230  # OpenCV writes BGR


def encoded(image: np.ndarray, suffix: str) -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tiff"])
def test_pixels_come_as_rgb(suffix: str) -> None:
    data = encoded(RED, suffix)
    pixel = decode(data, read_header(data))[20, 30]
    assert pixel[0] > 220
    assert max(pixel[1:]) < 10


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.full((8, 8), 77, np.uint8), (77, 77, 77)),
        (np.full((8, 8), 77 * 256, np.uint16), (77, 77, 77)),
        (np.full((8, 8, 4), (10, 20, 30, 0), np.uint8), (30, 20, 10)),
    ],
    ids=["gray", "16-bit", "alpha"],
)
def test_other_depths_become_8_bit_rgb(image: np.ndarray, expected: tuple[int, int, int]) -> None:
    data = encoded(image, ".png")
    assert tuple(decode(data, read_header(data))[3, 3]) == expected


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tiff"])
@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
def test_a_frame_that_is_cut_short_is_refused(suffix: str, share: float) -> None:
    noisy = np.random.default_rng(1).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    data = encoded(noisy, suffix)
    data = data[: int(len(data) * share)]
    with pytest.raises(FrameError) as caught:
        decode(data, read_header(data))
    assert caught.value.fault is FrameFault.UNDECODABLE


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
