"""What people bring to `trialsight train`: a clear line and exit code 1, or taken as it is; nothing half-written."""

import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from trialsight.cli import main
from trialsight_datasets.sample import ImageSet
from trialsight_training.torchvision_schemas import torchvision

MakeSet = Callable[..., Path]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: opening a fresh MLflow store takes seconds."""
    return tmp_path_factory.mktemp("home")


def corrupt_weights(make_set: MakeSet, tmp_path: Path) -> list[object]:
    (tmp_path / "bad.pth").write_bytes(b"\x80\x02 not weights at all")
    return ["--data", make_set(), "--weights", tmp_path / "bad.pth"]


def one_good_part(make_set: MakeSet, _: Path) -> list[object]:
    return ["--data", make_set(good=1)]


def identical_frames(make_set: MakeSet, _: Path) -> list[object]:
    return ["--data", make_set(pixels=lambda frame: np.full_like(frame, 90))]


def mask_of_another_size(make_set: MakeSet, _: Path) -> list[object]:
    root = make_set()
    scratch = root / "train" / "scratch"
    scratch.mkdir()
    (root / "train" / "good" / "000.png").rename(scratch / "bad.png")
    (root / "ground_truth" / "scratch").mkdir(parents=True)
    cv2.imwrite(str(root / "ground_truth" / "scratch" / "bad_mask.png"), np.full((10, 12), 255, np.uint8))
    return ["--data", root]


def features_that_are_no_numbers(make_set: MakeSet, tmp_path: Path) -> list[object]:
    state = torchvision.models.get_model("resnet18", weights=None).state_dict()
    state["layer1.0.conv1.weight"][0] = torch.nan
    torch.save(state, tmp_path / "nan.pth")
    return ["--data", make_set(), "--weights", tmp_path / "nan.pth"]


@pytest.mark.parametrize(
    ("brought", "message"),
    [
        (corrupt_weights, r"bad\.pth can't be read"),
        (one_good_part, "1 good training part is too few"),
        (identical_frames, "all 6 good training parts show the very same picture"),
        (mask_of_another_size, r"bad_mask\.png: the mask has 12x10 pixels, its image bad\.png has 96x64"),
        (features_that_are_no_numbers, r"000\.png: backbone resnet18 gives features that are no numbers"),
    ],
)
def test_a_fault_is_one_line(
    brought: Callable[[MakeSet, Path], list[object]],
    message: str,
    make_set: MakeSet,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["train", *brought(make_set, tmp_path), "--home", home, "--json"]
    monkeypatch.setattr(sys, "argv", ["trialsight", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    assert stopped.value.code == 1 and said.out == ""
    assert re.search(message, said.err.splitlines()[-1]), said.err
    assert not list(home.glob("packages/parts-*"))


def test_gray_16_bit_and_rgba_frames_are_learned_together(
    make_set: MakeSet, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_set(good=8)
    kinds = [
        lambda frame: cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY),
        lambda frame: frame.astype(np.uint16) * 257,
        lambda frame: cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA),
    ]
    for index, kind in enumerate(kinds):
        path = root / "train" / "good" / f"{index:03d}.png"
        cv2.imwrite(str(path), kind(cv2.imread(str(path))))
    recipe = write_recipe(tmp_path)
    words = ["train", "--data", root, "--recipe", recipe, "--home", home, "--json"]
    monkeypatch.setattr(sys, "argv", ["trialsight", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    assert json.loads(capsys.readouterr().out)["thresholds"]["promise"]["n"] == 8


def test_a_disk_that_fills_up_during_export_is_one_line_and_leaves_nothing(
    bracket_set: ImageSet, tmp_path: Path
) -> None:
    """No file may grow beyond 2.5 MB, as on a disk with no more room than that: MLflow's store fits, the graph not."""

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, 2_500_000))

    home, recipe = tmp_path / "home", write_recipe(tmp_path)
    words = ["train", "--data", bracket_set.root, "--recipe", recipe, "--home", home, "--json"]
    done = subprocess.run(
        [sys.executable, "-c", "from trialsight.cli import main; main()", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=little_room,
    )
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "can't be written: File too large" in last and "nothing was registered" in last
    assert list(home.rglob("model.onnx")) == [] and not list(home.glob("packages/*"))


def write_recipe(folder: Path) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(
        yaml.safe_dump({"name": "tiny", "input": {"size_px": 64}, "detector": {"bank_size": 60}, "variants": []})
    )
    return path
