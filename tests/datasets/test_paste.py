import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from trialsight import TrialsightError
from trialsight.cli import app as cli
from trialsight_datasets.paste import Pasting, write_pasted
from trialsight_datasets.pixels import load_image, load_mask
from trialsight_datasets.read import read_image_set
from trialsight_datasets.simulate.dataset import Plan, write_simulated
from trialsight_datasets.simulate.photo import foreground, paint_on

SIDE = 160


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of good parts, and of dented ones for those who want examples."""
    folder = tmp_path_factory.mktemp("parts") / "set"
    write_simulated(folder, Plan(good=3, test_good=2, defects=2, seed=4, size_px=SIDE, severity=1.0))
    return folder


def test_a_mask_is_what_differs_and_all_else_keeps_every_bit(parts: Path, tmp_path: Path) -> None:
    good = read_image_set(parts)
    made = write_pasted(good, tmp_path / "out", Pasting(each=2, seed=1), examples=good)
    counts = made.counts()
    assert counts["train"] == {"good": 3}
    assert counts["test"]["good"] == 2
    assert {"scratch", "dent", "stain", "chip", "missing_hole"} < set(counts["test"])
    photos = [load_image(sample.path) for sample in good.test if sample.is_good]
    for sample in made.test:
        if sample.is_good:
            continue
        picture, mask = load_image(sample.path), load_mask(sample)
        assert mask is not None
        apart = [np.abs(picture.astype(int) - photo).max(axis=2) for photo in photos]
        nearest = min(apart, key=lambda one: (one > 0).sum())
        assert ((nearest > 0) == mask).all(), sample.path
        assert 12 <= mask.sum() < 0.2 * mask.size
    kept = {path.read_bytes() for path in parts.rglob("good/*.jpg")}
    assert {path.read_bytes() for path in (tmp_path / "out").rglob("good/*.jpg")} == kept


def test_defects_lie_on_the_part_and_a_monochrome_picture_stays_one(parts: Path) -> None:
    photo = load_image(next(iter(sorted(parts.glob("train/good/*.jpg")))))
    on_part = foreground(photo)
    assert 0.3 < on_part.mean() < 0.7
    assert not on_part[:8].any()
    gray = np.repeat(photo[..., 1:2], 3, axis=2)
    for number, kind in enumerate(("scratch", "dent", "stain") * 3):
        picture, mask = paint_on(gray, kind, np.random.default_rng(number), 0.8)
        assert (mask & on_part).sum() > 0.9 * mask.sum()
        assert (picture == picture[..., :1]).all()


def test_a_picture_that_is_all_part_is_taken_as_such() -> None:
    grain = np.random.default_rng(0).normal(120, 12, (96, 128, 1)).repeat(3, axis=2)
    assert foreground(np.clip(cv2.GaussianBlur(grain, (0, 0), 1), 0, 255).astype(np.uint8)).mean() > 0.9


def test_the_command_gives_the_same_pictures_for_the_same_seed(parts: Path, tmp_path: Path) -> None:
    words = ["data", "paste", str(parts), "--each", "1", "--kind", "scratch", "--json"]
    runs = [
        CliRunner().invoke(cli, [*words, str(tmp_path / name), "--seed", seed])
        for name, seed in zip("abc", "778", strict=True)
    ]
    one, other, third = (json.loads(run.stdout) for run in runs)
    assert one["counts"]["test"] == {"good": 2, "scratch": 1}
    assert one["version"] == other["version"] != third["version"]


def test_what_can_t_be_pasted_is_named(parts: Path, tmp_path: Path) -> None:
    good = read_image_set(parts)
    with pytest.raises(TrialsightError, match="'rust' can't be painted"):
        write_pasted(good, tmp_path / "out", Pasting(kinds=("rust",)))
    with pytest.raises(TrialsightError, match="exists already"):
        write_pasted(good, tmp_path, Pasting())
    with pytest.raises(TrialsightError, match="too few good parts"):
        write_pasted(read_image_set(_one_part(parts, tmp_path / "one")), tmp_path / "out", Pasting())
    assert not (tmp_path / "out").exists()


def _one_part(parts: Path, folder: Path) -> Path:
    (folder / "train" / "good").mkdir(parents=True)
    (folder / "train" / "good" / "0.jpg").write_bytes((parts / "train" / "good" / "000.jpg").read_bytes())
    return folder
