import pytest

from trialsight import TrialsightError
from trialsight_datasets import read_image_set


@pytest.fixture
def plain(tmp_path, draw):
    for number in range(10):
        draw(tmp_path / "plain" / "good" / f"part-{number}.jpg", seed=number)
    draw(tmp_path / "plain" / "defect" / "0.jpg", seed=20)
    draw(tmp_path / "plain" / "scratch" / "0.jpg", seed=21)
    return tmp_path / "plain"


def test_good_parts_are_divided_and_defects_are_for_testing(plain):
    found = read_image_set(plain)
    assert found.layout == "folders"
    assert found.counts() == {"train": {"good": 8}, "test": {"good": 2, "defect": 1, "scratch": 1}}
    assert not found.has_masks
    assert {s.path for s in found.train}.isdisjoint(s.path for s in found.test)


def test_the_division_depends_on_names_alone(plain, tmp_path):
    moved = plain.rename(tmp_path / "elsewhere")
    first = [sample.part for sample in read_image_set(moved).train]
    assert first == [sample.part for sample in read_image_set(moved.rename(tmp_path / "again")).train]
    assert first != [f"good/part-{number}" for number in range(8)]  # drawn by hash, not the first ones


def test_a_part_that_comes_later_moves_few_others(plain, draw):
    before = {sample.path for sample in read_image_set(plain).test if sample.is_good}
    draw(plain / "good" / "late.jpg", seed=50)
    after = {sample.path for sample in read_image_set(plain).test if sample.is_good}
    assert len(before - after) <= 1


def test_with_few_good_parts_all_are_for_training(plain):
    for path in sorted((plain / "good").iterdir())[4:]:
        path.unlink()
    assert read_image_set(plain).counts() == {"train": {"good": 4}, "test": {"defect": 1, "scratch": 1}}


@pytest.mark.parametrize("name", ["Good", "GOOD"])
def test_good_in_any_case(plain, name):
    (plain / "good").rename(plain / name)
    assert read_image_set(plain).counts()["train"] == {"good": 8}


MASKS = {
    "by class": ("masks/defect/0.png", {"defect"}),
    "by class, with _mask": ("masks/defect/0_mask.png", {"defect"}),
    "in ground_truth": ("ground_truth/scratch/0.png", {"scratch"}),
}


@pytest.mark.parametrize(("mask", "labels"), MASKS.values(), ids=MASKS)
def test_masks(plain, draw_mask, mask, labels):
    path = draw_mask(plain / mask)
    found = {sample.label: sample.mask_path for sample in read_image_set(plain).test if sample.mask_path}
    assert found == dict.fromkeys(labels, path)


def test_masks_in_one_heap(plain, draw, draw_mask):
    draw(plain / "defect" / "only here.jpg", seed=30)
    path = draw_mask(plain / "masks" / "only here.png")
    assert [s.mask_path for s in read_image_set(plain).test if s.path.stem == "only here"] == [path]


def test_a_mask_without_an_image(plain, draw_mask):
    draw_mask(plain / "masks" / "scratch" / "8.png")
    with pytest.raises(TrialsightError, match=r"scratch/8\.png: is a mask without an image"):
        read_image_set(plain)
