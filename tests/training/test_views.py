"""What a recipe's view asks for, from training to the packaged verdict: registration, crop, learned limits."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from trialsight import Inspector, Verdict
from trialsight_datasets.simulate.simulator import Simulator

RECIPE = """
name: fixture
view:
  width_px: 256
  height_px: 256
  scale: {mm_per_px: 0.2}
  roi: {rect: [24, 40, 208, 176]}
  registration: {max_shift: 0.06, max_rotation_deg: 4}
input: {size_px: 128}
detector: {bank_size: 200}
calibration: {margin: 1.0}
"""


def moved(data: bytes, dx: float, degrees: float) -> bytes:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    matrix = cv2.getRotationMatrix2D((128, 128), degrees, 1.0)
    matrix[0, 2] += dx
    return cv2.imencode(".png", cv2.warpAffine(image, matrix, (256, 256), borderMode=cv2.BORDER_REPLICATE))[1].tobytes()


def test_a_registered_view_judges_shifted_parts_and_refuses_what_lies_too_far(tmp_path: Path) -> None:
    trialsight = Path(sys.executable).with_name("trialsight")
    words = [
        "data",
        "simulate",
        tmp_path / "set",
        "--good",
        "10",
        "--test-good",
        "2",
        "--defects",
        "1",
        "--size",
        "256",
    ]
    subprocess.run([trialsight, *map(str, words)], check=True, capture_output=True)
    (tmp_path / "fixture.yaml").write_text(RECIPE)
    words = ["train", "--data", tmp_path / "set", "--recipe", tmp_path / "fixture.yaml", "--home", tmp_path / "home"]
    done = subprocess.run([trialsight, *map(str, words), "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    inspect = Inspector.load(json.loads(done.stdout)["package"])
    preparation, judging = inspect.card.preparation, inspect.card.judging
    assert preparation.crop_px == (24, 40, 208, 176)
    assert preparation.registration is not None
    assert 0.5 < (preparation.registration.min_correlation or 0) <= 0.97
    assert judging.health is not None
    assert judging.likeness is not None

    simulator = Simulator(seed=77, size_px=256)
    good = simulator.good(3).jpeg
    for dx, degrees in [(0, 0), (9, 0), (-6, 3)]:
        seen = inspect(moved(good, dx, degrees))
        assert seen.verdict is not Verdict.NO_VERDICT, seen.reason
        assert seen.score is not None
    bad = moved(simulator.defective(3, "missing_hole").jpeg, 5, -2)
    seen = inspect(bad)
    assert seen.verdict is Verdict.REJECT
    assert seen.regions[0].length_mm is not None
    for dx, degrees in [(40, 0), (0, 12)]:
        assert (inspect(moved(good, dx, degrees)).reason or "").startswith("misaligned")
