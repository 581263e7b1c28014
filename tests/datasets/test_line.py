import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from trialsight import TrialsightError
from trialsight.cli import app as cli
from trialsight_datasets.simulate import Camera, Line, Simulator, load_line
from trialsight_datasets.simulate.line import Ageing, DefectRate
from trialsight_datasets.simulate.product import PLATE
from trialsight_datasets.simulate.source import simulated

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "lines"
SIZE = 160


def pixels(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).astype(int)


def test_the_usual_plate_as_a_file_is_the_usual_plate() -> None:
    line = load_line(CONFIGS / "plate.yaml")
    assert line.product == PLATE
    assert Simulator(3, SIZE, line=line).good(0).jpeg == Simulator(3, SIZE).good(0).jpeg


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_each_example_renders_good_parts_and_each_of_its_defects(name: str) -> None:
    simulator = Simulator(1, SIZE, line=load_line(CONFIGS / f"{name}.yaml"))
    good = simulator.good(0)
    assert pixels(good.jpeg).std() > 15
    assert not good.mask.any()
    for kind in simulator.line.kinds:
        frame = simulator.defective(0, kind, 0.9)
        apart = np.abs(pixels(frame.jpeg) - pixels(good.jpeg)).max(axis=2)
        assert frame.mask.any()
        assert apart[frame.mask].mean() > 2 * apart[~frame.mask].mean()


def test_the_same_scene_is_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib, sys; from pathlib import Path; from trialsight_datasets.simulate import Simulator, load_line\n"
        f"s = Simulator(4, {SIZE}, line=load_line(Path(sys.argv[1])))\n"
        "print(hashlib.sha256(b''.join(s.passing(n).jpeg for n in range(3))).hexdigest())"
    )
    path = CONFIGS / "cast-lever.yaml"
    there = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    simulator = Simulator(4, SIZE, line=load_line(path))
    here = hashlib.sha256(b"".join(simulator.passing(number).jpeg for number in (0, 1, 2))).hexdigest()
    assert there.stdout.strip() == here


@pytest.mark.parametrize(
    "camera",
    [Camera(distortion=(0.1, 0.02)), Camera(motion=0.03), Camera(defocus=0.006)],
    ids=["distortion", "motion blur", "defocus"],
)
def test_a_mask_goes_through_the_lens_as_the_defect_does(camera: Camera) -> None:
    simulator = Simulator(5, 256, camera=camera)
    for index, kind in enumerate(("scratch", "stain", "chip")):
        (good, _), (bad, mask) = simulator.light(index), simulator.light(index, kind, 0.8)
        apart = np.abs(np.sqrt(bad) - np.sqrt(good)).max(axis=2)
        assert not (apart > 2 / 255)[~mask].any(), "what can be seen of it is marked"
        assert (apart > 0)[mask].mean() > 0.8, "and hardly more"


def test_defects_come_as_often_as_the_line_has_them() -> None:
    line = Line(defects={"scratch": DefectRate(0.2), "dent": DefectRate(0.05, (0.5, 0.5))})
    rng = np.random.default_rng(0)
    drawn = [line.draw_defect(rng) for _ in range(4000)]
    kinds = [one[0] for one in drawn if one]
    assert kinds.count("scratch") / 4000 == pytest.approx(0.2, abs=0.025)
    assert kinds.count("dent") / 4000 == pytest.approx(0.05, abs=0.015)
    assert {one[1] for one in drawn if one and one[0] == "dent"} == {0.5}


def test_what_ages_comes_slowly_and_is_mended() -> None:
    fade = Ageing("lamp", 0.3, begin=10, over=10, mended=40)
    assert [round(fade.at(number), 2) for number in (9, 10, 14, 19, 39, 40)] == [0, 0.03, 0.15, 0.3, 0.3, 0]
    simulator = Simulator(2, SIZE, line=Line(ageing=(fade,)))
    bright, dim, mended = (pixels(simulator.passing(number, 0).jpeg).mean() for number in (0, 30, 40))
    assert dim < 0.9 * bright
    assert mended == bright


WRONG = {
    "an unknown field": ("size: 3", "unknown field 'size'"),
    "a number that is none": ("size_px: large", "line.size_px: expected int"),
    "an unknown defect": ("defects: {rust: {rate: 0.1}}", "'rust' can't be simulated"),
    "a hole that can't be missing": ("product: {}\ndefects: {missing_hole: {rate: 0.1}}", "without drilled holes"),
    "more defects than parts": ("defects: {dent: {rate: 0.7}, chip: {rate: 0.6}}", "130% of the parts"),
    "a severity that falls": ("defects: {dent: {rate: 0.1, severity: [0.9, 0.1]}}", "two rising numbers"),
    "a lamp of no kind": ("lamps: [{kind: laser}]", "'laser' is not one of bar, ring, dome"),
    "no lamp": ("lamps: []", "a line needs a lamp"),
    "a lens that can't be": ("camera: {distortion: [3, 0]}", "distortion must lie between"),
    "a lamp that ages away": ("ageing: [{what: lamp, amount: 0.9}]", "loses 0 to 0.7"),
    "a drawing that isn't there": ("product: {svg: none.svg}", "none.svg does not exist"),
    "no YAML": ("a: [", "can't be read"),
}


@pytest.mark.parametrize(("text", "problem"), WRONG.values(), ids=WRONG)
def test_what_a_line_can_t_be_is_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "line.yaml"
    path.write_text(text)
    with pytest.raises(TrialsightError, match=r"line\.yaml") as caught:
        load_line(path)
    assert problem in str(caught.value)


def test_a_drawing_without_a_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (tmp_path / "line.yaml").write_text("size_px: 128\nproduct: {svg: empty.svg}")
    with pytest.raises(TrialsightError, match="holds no closed path"):
        Simulator(line=load_line(tmp_path / "line.yaml")).good(0)


def test_the_command_makes_a_set_of_the_lines_parts_and_defects(tmp_path: Path) -> None:
    words = ["data", "simulate", str(tmp_path / "set"), "--line", str(CONFIGS / "printed-label.yaml")]
    made = CliRunner().invoke(
        cli, [*words, "--size", "128", "--good", "1", "--test-good", "0", "--defects", "1", "--json"]
    )
    assert json.loads(made.stdout)["counts"] == {"train": {"good": 1}, "test": {"scratch": 1, "stain": 1}}


def test_the_camera_source_shows_what_comes_along_the_line(tmp_path: Path) -> None:
    path = tmp_path / "line.yaml"
    path.write_text("size_px: 128\ndefects: {dent: {rate: 1.0}}")
    frames = simulated(3, 0.0, str(path))
    assert [next(frames).truth for _ in range(3)] == ["dent"] * 3
