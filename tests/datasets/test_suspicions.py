"""What deserves a look is told, what merely varies is not."""

import json
import shutil

import cv2
import numpy as np
import pytest

from trialsight_datasets.check import check_folder
from trialsight_datasets.simulate.dataset import Plan, write_simulated
from trialsight_datasets.suspicions import Kind


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "plate"
    write_simulated(folder, Plan(12, 4, 2, seed=3, size_px=192, severity=0.9), lambda: None)
    return folder


@pytest.fixture
def plate(simulated, tmp_path):
    return shutil.copytree(simulated, tmp_path / "plate")


def good(folder):
    return sorted((folder / "train" / "good").iterdir())


def found(folder):
    return {(one.kind, one.sample.path.name): one for one in check_folder(folder).suspicions}


def test_nothing_stands_out_in_a_set_without_faults(plate):
    assert found(plate) == {}


def test_a_photograph_saved_twice_on_both_sides(plate):
    pixels = cv2.imread(str(good(plate)[0]))
    cv2.imwrite(str(plate / "test" / "good" / "again.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])
    ((kind, name), one) = next(iter(found(plate).items()))
    assert (kind, name, one.other.path.name) == (Kind.COPY, good(plate)[0].name, "again.jpg")


SPOILT = {
    "blurred": (lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 4), "more blurred"),
    "dark": (lambda pixels: (pixels * 0.45).astype(np.uint8), "darker|flatter"),
    "noisy": (
        lambda pixels: cv2.add(pixels, np.random.default_rng(0).integers(0, 90, pixels.shape, np.uint8)),
        "noisier",
    ),
}


@pytest.mark.parametrize(("spoil", "words"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_picture_is_told_by_what_spoils_it(plate, spoil, words):
    path = good(plate)[1]
    cv2.imwrite(str(path), spoil(cv2.imread(str(path))))
    what = found(plate)[Kind.PICTURE, path.name].what
    assert any(word in what for word in words.split("|"))


def test_a_defective_part_among_the_good_ones(plate):
    defect = next((plate / "test" / "missing_hole").iterdir())
    cv2.imwrite(str(plate / "train" / "good" / "wrong.jpg"), cv2.imread(str(defect)))
    one = found(plate)[Kind.LABEL, "wrong.jpg"]
    assert one.what.endswith("labelled missing_hole")


def test_another_product_among_the_good_ones(plate):
    path = good(plate)[2]
    cv2.imwrite(str(path), 255 - cv2.imread(str(path)))
    assert found(plate)[Kind.LABEL, path.name].what.endswith("unlike every other good part")


def test_suspicions_are_no_faults_and_stand_in_the_page(plate, tmp_path):
    from typer.testing import CliRunner

    from trialsight_datasets.commands import app

    path = good(plate)[1]
    cv2.imwrite(str(path), cv2.GaussianBlur(cv2.imread(str(path)), (0, 0), 4))
    page = tmp_path / "check.html"
    done = CliRunner().invoke(app, ["check", str(plate), "--report", str(page), "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["suspicions"][0]["what"] == "more blurred than the others"
    text = page.read_text("utf-8")
    assert "more blurred than the others" in text
    assert text.count("data:image/jpeg;base64,") >= 10
    assert "http://" not in text
    assert "12 good parts to train on" in text
    printed = CliRunner().invoke(app, ["check", str(plate)], catch_exceptions=False).stdout
    assert f"look at: {path}: more blurred than the others" in printed
