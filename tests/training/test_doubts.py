"""Which good parts stand out from the others: by tables, and by a training with a stain among the good parts."""

import dataclasses
from pathlib import Path

import pytest

from trialsight.home import Home
from trialsight.recipe import Recipe
from trialsight_datasets.sample import ImageSet
from trialsight_training.doubts import Doubt, doubts
from trialsight_training.progress import Progress
from trialsight_training.train import train_package

USUAL = [0.29, 0.3, 0.3, 0.31, 0.31, 0.31, 0.32, 0.32, 0.33, 0.34]
NAMES = [f"P{place}" for place in range(len(USUAL))]

CASES = {
    "as good parts vary": (USUAL, NAMES, []),
    "one far above": ([0.9, *USUAL[1:]], NAMES, ["P0"]),
    "two of twenty, the higher first": ([*USUAL, *USUAL[2:], 0.8, 0.9], [*NAMES, *"abcdefghij"], ["j", "i"]),
    "three of twenty are how good parts vary": ([*USUAL, *USUAL[3:], 0.8, 0.85, 0.9], [*NAMES, *"abcdefghij"], []),
    "too few parts to say": ([0.9, *USUAL[1:9]], NAMES[:9], []),
    "known from before": ([0.9, *USUAL], NAMES, []),
    "new among known ones": ([*USUAL, 0.9], ["new"], ["new"]),
    "all the same": ([0.3] * 12, list("abcdefghijkl"), []),
}


@pytest.mark.parametrize(("scores", "parts", "found"), CASES.values(), ids=CASES.keys())
def test_who_stands_out(scores: list[float], parts: list[str], found: list[str]) -> None:
    assert [one.part for one in doubts(scores, parts)] == found


def test_a_doubt_says_how_far() -> None:
    assert doubts([*USUAL[:9], 0.9], NAMES) == (Doubt("P9", 0.9, 0.33),)


def test_a_defect_among_good_parts_is_named(bracket_set: ImageSet, tiny_recipe: Recipe, tmp_path: Path) -> None:
    wrong = next(sample for sample in bracket_set.test if sample.label == "chip")
    wrong = dataclasses.replace(wrong, label="good", split="train", mask_path=None, part="wrong")
    mixed = dataclasses.replace(bracket_set, train=(*bracket_set.train, wrong))
    trained = train_package(mixed, tiny_recipe, Home.at(tmp_path), Progress(silent=True))
    assert [one.part for one in trained.doubtful] == ["wrong"]
    assert "Are they labelled rightly?" in trained.report.read_text(encoding="utf-8")
