import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

PackageMaker = Callable[..., Path]
TRIALSIGHT = Path(sys.executable).with_name("trialsight")


def trialsight(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TRIALSIGHT, *map(str, words)], capture_output=True, text=True, timeout=120)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    good = np.full((64, 64, 3), 128, np.uint8)
    bad = good.copy()
    bad[16:32, 16:32] = 255
    cv2.imwrite(str(folder / "a-good.png"), good)
    cv2.imwrite(str(folder / "b-bad.png"), bad)
    (folder / "c-torn.png").write_bytes((folder / "b-bad.png").read_bytes()[:60])
    return folder


def test_help_lists_the_commands_of_every_wing() -> None:
    shown = trialsight("--help")
    assert shown.returncode == 0
    for command in ("inspect", "calibrate", "data", "train", "evaluate", "promote", "serve", "camera", "demo"):
        assert command in shown.stdout


def test_inspect_gives_json_and_overlays(make_package: PackageMaker, images: Path, tmp_path: Path) -> None:
    done = trialsight("inspect", make_package(), images, "--json", "--overlays", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["verdict"] for row in rows] == ["pass", "reject", "no_verdict"]
    assert "PNG" in rows[2]["reason"] or "png" in rows[2]["reason"]
    drawn = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert drawn == ["images-a-good_pass.png", "images-b-bad_reject.png"]
    picture = cv2.imread(str(tmp_path / "out" / "images-b-bad_reject.png"))
    assert (np.abs(picture.astype(int) - 128).max(axis=2) > 60).sum() > 16 * 16


def test_inspect_prints_one_line_a_file(make_package: PackageMaker, images: Path) -> None:
    done = trialsight("inspect", make_package(), images)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["pass", "reject", "no_verdict"]


def test_inspect_by_the_fastest_way_says_which_and_remembers_it(
    make_package: PackageMaker, images: Path, tmp_path: Path
) -> None:
    done = trialsight("inspect", make_package(), images, "--fastest", "--home", tmp_path / "home")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["pass", "reject", "no_verdict"]
    assert "fp32 in onnxruntime" in done.stderr
    assert len(list((tmp_path / "home" / "runtimes").iterdir())) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere", "x.png"), "x.png does not exist"),
        (("nowhere", "."), "not a model package"),
    ],
)
def test_a_foreseen_fault_is_one_line_and_exit_1(
    images: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(images)
    done = trialsight("inspect", *words)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_wrong_usage_is_exit_2() -> None:
    assert trialsight("inspect").returncode == 2
    assert trialsight("inspekt").returncode == 2


def test_csv_has_a_row_a_file_with_the_largest_regions_measures(
    make_package: PackageMaker, images: Path, tmp_path: Path
) -> None:
    import csv

    done = trialsight("inspect", make_package(), images, "--csv", tmp_path / "verdicts.csv")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "verdicts.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows] == ["pass", "reject", "no_verdict"]
    assert float(rows[1]["largest_area_px"]) == 16 * 16
    assert rows[1]["rule"] == "score"
    assert rows[0]["largest_area_px"] == ""


def test_calibrate_prints_a_scale_that_a_recipe_takes(tmp_path: Path) -> None:
    from trialsight.recipe import load_recipe

    target = tmp_path / "target.png"
    assert trialsight("calibrate", target, "--draw").returncode == 0
    done = trialsight("calibrate", target, "--square-mm", "6")
    assert done.returncode == 0, done.stderr
    recipe = tmp_path / "a.yaml"
    recipe.write_text("name: a\nview:\n" + "\n".join(f"  {line}" for line in done.stdout.splitlines()))
    scale = load_recipe(recipe).view.scale
    assert scale is not None
    # The drawing has 60 pixels a square, so 6 mm squares are 0.1 mm a pixel.
    left, right = scale.to_mm(np.array([[100.0, 100.0], [400.0, 100.0]]))
    assert np.linalg.norm(right - left) == pytest.approx(30.0, rel=0.002)


@pytest.mark.parametrize(
    ("words", "message"),
    [(("nowhere.png",), "nowhere.png can't be read"), (("--columns", "1", "x.png"), "at least 3x3 squares")],
)
def test_calibrate_names_what_is_wrong(words: tuple[str, ...], message: str) -> None:
    done = trialsight("calibrate", *words)
    assert done.returncode == 1
    assert message in done.stderr
