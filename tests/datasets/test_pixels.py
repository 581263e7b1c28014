import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from trialsight import TrialsightError
from trialsight_datasets import Sample, load_image, load_mask

SPOT = np.zeros((16, 24), bool)
SPOT[2:5, 3:7] = True


def sample(path: Path, mask: Path | None, label: str = "scratch") -> Sample:
    return Sample(path, label, "test", mask, path.stem)


def write(path: Path, pixels) -> Path:
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    return path


GRAY = SPOT.astype(np.uint8)
ENCODINGS = {
    "white": ("m.png", GRAY * 255),
    "numbered": ("m.png", GRAY * 2),
    "colour": ("m.png", np.dstack([GRAY * 0, GRAY * 0, GRAY * 255])),
    "opaque alpha is no defect": ("m.png", np.dstack([GRAY * 255] * 3 + [np.full_like(GRAY, 255)])),
    "16 bit": ("m.png", GRAY.astype(np.uint16) * 40_000),
    "bmp": ("m.bmp", GRAY * 255),
}


@pytest.mark.parametrize(("name", "pixels"), ENCODINGS.values(), ids=ENCODINGS)
def test_masks_in_any_encoding(tmp_path, draw, name, pixels):
    mask = write(tmp_path / name, pixels)
    found = load_mask(sample(draw(tmp_path / "a.png"), mask))
    assert found.dtype == bool
    np.testing.assert_array_equal(found, SPOT)


def test_noise_of_a_jpeg_mask_is_no_defect(tmp_path, draw):
    pixels = np.zeros((64, 64), np.uint8)
    pixels[16:48, 16:48] = 255
    found = load_mask(sample(draw(tmp_path / "a.png", 64, 64), write(tmp_path / "m.jpg", pixels)))
    np.testing.assert_array_equal(found, pixels > 0)


def test_a_good_part_has_an_empty_mask_and_an_unmarked_defect_has_none(tmp_path, draw):
    path = draw(tmp_path / "a.png")
    good = load_mask(sample(path, None, "good"))
    assert good.shape == (16, 24)
    assert not good.any()
    assert load_mask(sample(path, None)) is None


CONTRADICTIONS = {
    "empty on a defect": (0, "scratch", r"mask .*m\.png marks nothing, though the part has scratch"),
    "marked on a good part": (255, "good", r"mask .*m\.png marks a defect on a good part"),
}


@pytest.mark.parametrize(("value", "label", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_mask_that_contradicts_the_label(tmp_path, draw, draw_mask, value, label, message):
    mask = draw_mask(tmp_path / "m.png", value=value)
    with pytest.raises(TrialsightError, match=message):
        load_mask(sample(draw(tmp_path / "a.png"), mask, label))


@pytest.mark.parametrize("size", [None, (24, 16)])
def test_a_mask_of_another_size(tmp_path, draw, draw_mask, size):
    mask = draw_mask(tmp_path / "m.png", 16, 24)
    with pytest.raises(TrialsightError, match=r"m\.png has 16x24 pixels, its image .*a\.png has 24x16"):
        load_mask(sample(draw(tmp_path / "a.png"), mask), size)


def test_a_mask_that_breaks_off(tmp_path, draw, draw_mask):
    mask = draw_mask(tmp_path / "m.png")
    mask.write_bytes(mask.read_bytes()[:40])
    with pytest.raises(TrialsightError, match=r"mask .*m\.png can't be decoded"):
        load_mask(sample(draw(tmp_path / "a.png"), mask))


def test_the_mask_of_a_photograph_turned_by_exif(tmp_path, draw, draw_mask):
    """The camera stored 24x16 and said "turn it by a quarter"; whoever drew the mask saw 16x24."""
    path = draw(tmp_path / "a.jpg")
    path.write_bytes(turned_by_exif(path.read_bytes()))
    assert load_image(path).shape == (24, 16, 3)
    mask = draw_mask(tmp_path / "m.png", 16, 24)
    assert load_mask(sample(path, mask)).shape == (24, 16)
    assert load_mask(sample(path, None, "good")).shape == (24, 16)


def turned_by_exif(jpeg: bytes) -> bytes:
    """Put an EXIF block with orientation 6 behind the start marker."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def test_images_that_can_not_be_loaded(tmp_path, draw):
    cut = draw(tmp_path / "cut.jpg", 64, 64)
    cut.write_bytes(cut.read_bytes()[:-200])
    text = tmp_path / "text.png"
    text.write_text("hello")
    cases = {
        cut: r"cut\.jpg: .*cut short",
        text: r"text\.png: .*not a JPEG",
        tmp_path / "no.png": r"no\.png can't be read",
    }
    for path, message in cases.items():
        with pytest.raises(TrialsightError, match=message):
            load_image(path)
