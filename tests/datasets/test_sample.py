import shutil
from dataclasses import replace

import pytest

from trialsight_datasets import ImageSet, read_image_set


def test_the_version_is_of_the_content_not_of_the_place_or_the_order(mvtec, tmp_path):
    version = read_image_set(mvtec).version()
    assert len(version) == 64
    copy = read_image_set(shutil.copytree(mvtec, tmp_path / "copy"))
    assert copy.version() == version
    assert replace(copy, train=copy.train[::-1]).version() == version


def flip_last_byte(path):
    path.write_bytes(path.read_bytes() + b"\0")


CHANGES = {
    "an image's bytes": lambda root: flip_last_byte(root / "train" / "good" / "000.png"),
    "a mask's bytes": lambda root: flip_last_byte(root / "ground_truth" / "scratch" / "000_mask.png"),
    "a mask gone": lambda root: (root / "ground_truth" / "scratch" / "000_mask.png").unlink(),
    "a part gone": lambda root: (root / "train" / "good" / "002.png").unlink(),
    "a name": lambda root: (root / "train" / "good" / "002.png").rename(root / "train" / "good" / "x.png"),
    "a split": lambda root: (root / "train" / "good" / "002.png").rename(root / "test" / "good" / "002.png"),
    "a class": lambda root: [(root / f / "scratch").rename(root / f / "dent") for f in ("test", "ground_truth")],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_change_makes_another_version(mvtec, change):
    before = read_image_set(mvtec).version()
    change(mvtec)
    assert read_image_set(mvtec).version() != before


def test_a_set_is_iterated_training_first(mvtec):
    found: ImageSet = read_image_set(mvtec)
    assert list(found) == [*found.train, *found.test]
    assert len(found) == 6


def test_the_version_tells_how_far_it_is(mvtec):
    seen = []
    read_image_set(mvtec).version(lambda: seen.append(1))
    assert len(seen) == 6
