import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from trialsight import TrialsightError
from trialsight_datasets import load_image, load_mask, read_image_set


def test_mvtec_layout(mvtec):
    found = read_image_set(mvtec)
    assert (found.layout, found.name, found.root) == ("mvtec", "bracket", mvtec)
    assert found.counts() == {"train": {"good": 3}, "test": {"good": 1, "scratch": 2}}
    assert [sample.part for sample in found.train] == ["train/good/000", "train/good/001", "train/good/002"]
    scratched = [sample for sample in found.test if not sample.is_good]
    assert [sample.mask_path.name for sample in scratched] == ["000_mask.png", "001_mask.png"]
    assert found.has_masks


@pytest.mark.parametrize("mask_name", ["000_mask.png", "000.png", "000_mask.PNG", "000.bmp"])
def test_mask_names(mvtec, draw_mask, mask_name):
    shutil.rmtree(mvtec / "ground_truth" / "scratch")
    draw_mask(mvtec / "ground_truth" / "scratch" / mask_name)
    masks = {s.path.stem: s.mask_path for s in read_image_set(mvtec).test if s.label == "scratch"}
    assert masks == {"000": mvtec / "ground_truth" / "scratch" / mask_name, "001": None}


def test_a_set_without_ground_truth_has_no_masks(mvtec):
    shutil.rmtree(mvtec / "ground_truth")
    found = read_image_set(mvtec)
    assert not found.has_masks
    assert len(found.test) == 3


def test_a_set_may_have_good_parts_and_nothing_else(mvtec):
    shutil.rmtree(mvtec / "ground_truth")
    shutil.rmtree(mvtec / "test")
    assert read_image_set(mvtec).counts() == {"train": {"good": 3}, "test": {}}


@pytest.mark.parametrize(
    "name", ["PART 01.JPG", "零件 一.png", "a.b.c.TIF", "x.jpeg", "x.tiff", "x.BMP", "day 1/x.png"]
)
def test_file_names(mvtec, draw, name):
    path = draw(mvtec / "train" / "good" / name, seed=99)
    found = read_image_set(mvtec)
    assert path in [sample.path for sample in found.train]
    assert load_image(path).shape == (16, 24, 3)


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "notes.txt", "._000.png"])
def test_what_is_not_an_image_is_passed_over(mvtec, name):
    (mvtec / "train" / "good" / name).write_bytes(b"not an image")
    assert len(read_image_set(mvtec).train) == 3


def test_only_some_good_parts(mvtec):
    found = read_image_set(mvtec, good=2)
    assert [sample.path.name for sample in found.train] == ["000.png", "001.png"]
    assert len(found.test) == 3


@pytest.mark.parametrize("good", [0, -1, 4])
def test_more_good_parts_than_there_are(mvtec, good):
    with pytest.raises(TrialsightError, match=rf"has 3 good training parts, {good} were asked for .*1 to 3"):
        read_image_set(mvtec, good=good)


def test_a_header_at_the_end_of_a_large_file_is_found(mvtec):
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    data = cv2.imencode(".tiff", pixels, [cv2.IMWRITE_TIFF_COMPRESSION, 1])[1].tobytes()
    assert int.from_bytes(data[4:8], "little") > 65_536  # the directory follows the pixels
    (mvtec / "train" / "good" / "large.tiff").write_bytes(data)
    assert len(read_image_set(mvtec).train) == 4


def put(name: str, data: bytes):
    def change(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)

    return change


def test_labelled_defects_may_be_among_training(mvtec):
    copied("test/scratch/000.png", "train/scratch/002.png")(mvtec)
    copied("test/scratch/000.png", "train/dent/000.png")(mvtec)
    mask = mvtec / "ground_truth" / "scratch" / "002_mask.png"
    copied("ground_truth/scratch/000_mask.png", "ground_truth/scratch/002_mask.png")(mvtec)
    found = read_image_set(mvtec)
    labelled = {(sample.label, sample.mask_path) for sample in found.train if not sample.is_good}
    assert labelled == {("scratch", mask), ("dent", None)}
    assert {sample.label for sample in found.first_good(2).train} == {"good", "scratch", "dent"}
    assert len(found.first_good(2).train) == 4


def remove(name: str):
    return lambda root: shutil.rmtree(root / name)


def copied(name: str, to: str):
    def change(root: Path) -> None:
        (root / to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, root / to)

    return change


FAULTS = {
    "text as an image": (put("train/good/001.png", b"hello"), r"train/good/001\.png: .*not a JPEG, PNG, BMP or TIFF"),
    "empty file": (put("test/good/000.png", b""), r"test/good/000\.png: the frame is empty"),
    "broken header": (put("train/good/001.png", b"\x89PNG\r\n\x1a\n"), r"001\.png: .*header is broken"),
    "mask is no image": (put("ground_truth/scratch/000_mask.png", b"x"), r"scratch/000_mask\.png: .*not a JPEG"),
    "mask without image": (
        copied("ground_truth/scratch/000_mask.png", "ground_truth/scratch/007_mask.png"),
        r"007_mask\.png: is a mask without an image",
    ),
    "masks of a class that isn't there": (
        copied("ground_truth/scratch/000_mask.png", "ground_truth/dent/000_mask.png"),
        r"dent/000_mask\.png: is a mask without an image",
    ),
    "one mask for a part in training and one in test": (
        copied("test/scratch/000.png", "train/scratch/000.png"),
        r"test/scratch/000\.png: shares its mask's name with .*train/scratch/000\.png; rename one",
    ),
    "two images of one name": (
        copied("train/good/001.png", "train/good/001.bmp"),
        r"is a second image of the name of 001",
    ),
    "a format that can't be read": (put("train/good/003.webp", b"RIFF"), r"003\.webp: \.webp images can't be read"),
}


@pytest.mark.parametrize(("change", "message"), FAULTS.values(), ids=FAULTS)
def test_faults_name_the_file_and_point_to_the_check(mvtec, change, message):
    change(mvtec)
    with pytest.raises(TrialsightError, match=message) as raised:
        read_image_set(mvtec)
    assert f"trialsight data check {mvtec}" in raised.value.remedy
    assert "\n" not in str(raised.value)


def test_a_mask_of_another_size(mvtec, draw_mask):
    draw_mask(mvtec / "ground_truth" / "scratch" / "001_mask.png", width=12, height=8)
    with pytest.raises(TrialsightError, match=r"001_mask\.png: the mask has 12x8 pixels, its image 001\.png has 24x16"):
        read_image_set(mvtec)


def test_folders_that_are_no_image_set(mvtec, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").touch()
    (tmp_path / "blank").mkdir()
    (tmp_path / "hollow" / "good").mkdir(parents=True)
    cases = {
        tmp_path / "nowhere": "nowhere does not exist",
        mvtec / "train" / "good" / "000.png": "000.png is a file",
        tmp_path / "letters": r"no layout that is known; it holds a\.txt .*folders: good.*mvtec: train/good.*visa: ",
        tmp_path / "blank": "it holds nothing",
        tmp_path / "hollow": "holds no images, though it has the folders layout",
    }
    for folder, message in cases.items():
        with pytest.raises(TrialsightError, match=message):
            read_image_set(folder)


def test_a_layout_can_be_named(mvtec):
    assert read_image_set(mvtec, "mvtec").layout == "mvtec"
    with pytest.raises(TrialsightError, match=r"layout 'voc' is not known .*auto, supervisely, .*mvtec, folders"):
        read_image_set(mvtec, "voc")


REAL = {
    "casting": (60, {"chipping": 66, "deburring": 46, "good": 22, "holes": 36}, True),
    "magnetic_tile": (200, {"blowhole": 115, "break": 85, "crack": 57, "fray": 32, "good": 100, "uneven": 99}, True),
    "cookie": (22, {"broken": 32, "good": 9}, True),
    "assembly_screws": (18, {"good": 9, "missing_screw": 73}, False),
    "alien_figure": (38, {"damaged": 60, "good": 20}, False),
}


@pytest.mark.parametrize("name", REAL)
def test_real_sets(shared_data, name):
    train, test, masks = REAL[name]
    found = read_image_set(shared_data / name)
    assert found.counts() == {"train": {"good": train}, "test": test}
    assert found.has_masks is masks
    for sample in [s for s in found.test if s.mask_path is not None][:5]:
        assert load_mask(sample).shape == load_image(sample.path).shape[:2]
