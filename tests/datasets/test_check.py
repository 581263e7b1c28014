import shutil

import pytest

from trialsight import TrialsightError
from trialsight_datasets.check import check_folder


def test_a_set_without_faults(mvtec):
    report = check_folder(mvtec)
    assert report.problems == ()
    assert report.masks == 2
    assert report.sizes_px == {"24x16": 6}
    assert report.version == report.image_set.version()


def test_all_faults_are_listed_at_once(mvtec, draw, draw_mask):
    (mvtec / "train" / "good" / "000.png").write_bytes(b"hello")
    cut = draw(mvtec / "train" / "good" / "cut.jpg", 64, 64, seed=77)
    cut.write_bytes(cut.read_bytes()[:-200])  # its header is whole: only decoding tells
    draw_mask(mvtec / "ground_truth" / "scratch" / "000_mask.png", width=12)
    draw_mask(mvtec / "ground_truth" / "scratch" / "001_mask.png", value=0)
    draw_mask(mvtec / "ground_truth" / "scratch" / "009_mask.png")
    shutil.copy(mvtec / "train" / "good" / "001.png", mvtec / "test" / "good" / "again.png")
    shutil.copy(mvtec / "train" / "good" / "002.png", mvtec / "test" / "scratch" / "riddle.png")
    report = check_folder(mvtec)
    found = {str(problem.path.relative_to(mvtec)): problem.what for problem in report.problems}
    expected = {
        "ground_truth/scratch/009_mask.png": "is a mask without an image",
        "train/good/000.png": "not a JPEG, PNG, BMP or TIFF",
        "train/good/cut.jpg": "cut short",
        "ground_truth/scratch/000_mask.png": "the mask has 12x16 pixels, its image 000.png has 24x16",
        "ground_truth/scratch/001_mask.png": "marks nothing",
        "test/good/again.png": "a test on what was trained on proves nothing",
        "test/scratch/riddle.png": "is labelled good, not scratch",
    }
    assert found.keys() == expected.keys()
    for path, what in expected.items():
        assert what in found[path]
    assert report.version is None


def test_copies_within_one_class_and_split_are_allowed(mvtec):
    shutil.copy(mvtec / "train" / "good" / "001.png", mvtec / "train" / "good" / "again.png")
    assert check_folder(mvtec).problems == ()


def test_a_set_without_good_parts_to_train_on(mvtec):
    shutil.rmtree(mvtec / "train" / "good")
    assert [problem.what for problem in check_folder(mvtec).problems] == ["has no good part to train on"]


def test_a_folder_that_is_no_set(tmp_path):
    with pytest.raises(TrialsightError, match="holds nothing"):
        check_folder(tmp_path)


@pytest.mark.parametrize("name", ["cookie", "assembly_screws"])
def test_real_sets_are_whole(shared_data, name):
    assert check_folder(shared_data / name).problems == ()
