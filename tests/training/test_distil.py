"""The distillation: its pictures, its loss, and a run that stops and goes on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from trialsight.errors import TrialsightError
from trialsight_training.backbones import create_backbone
from trialsight_training.backbones.student import LAYERS, Shape, Student, fold, unfold
from trialsight_training.distil.loss import FLOOR, distance, unexplained
from trialsight_training.distil.pictures import Crops, Pool
from trialsight_training.distil.run import Outcome, Progress, Settings, distil, learning_rate_share
from trialsight_training.distil.textures import texture
from trialsight_training.torchvision_schemas import torchvision

TINY = Shape(stem=4, stride4=4, stride8=8, stride16=8, blocks4=0, blocks8=1, blocks16=1, hidden8=8, hidden16=8)
STEPS = Settings(minutes=60, batch=2, max_steps=2, helpers=0)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for i in range(4):
        cv2.imwrite(str(folder / f"{i}.png"), texture(np.random.default_rng(i), 96))
    return folder


@pytest.fixture(scope="module")
def pool(photographs: Path) -> Pool:
    return Pool.gather(photographs, textures=2, parts=2, seed=0)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in another order would make resumed runs differ in the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(pool: Pool, folder: Path, settings: Settings = STEPS, resume: bool = False) -> tuple[Outcome, list[Progress]]:
    told: list[Progress] = []
    teacher = create_backbone("resnet18", "random", ("layer2", "layer3"))
    outcome = distil(teacher, pool, settings, folder / "x.pt", TINY, resume, told.append)
    return outcome, told


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(pool: Pool, tmp_path: Path) -> None:
    whole, _ = run(pool, tmp_path / "whole")
    # The learning rate follows the share of the budget that is spent, so the first half must know the whole.
    first, _ = run(pool, tmp_path / "parts", replace(STEPS, max_steps=1))
    second, told = run(pool, tmp_path / "parts", STEPS, resume=True)
    assert (first.last.step, second.last.step) == (1, 2)
    assert told[-1].images == 4
    for name, tensor in whole.student.state_dict().items():
        torch.testing.assert_close(second.student.state_dict()[name], tensor, rtol=1e-4, atol=1e-5)


def test_distilling_brings_the_student_closer(pool: Pool, tmp_path: Path) -> None:
    settings = replace(STEPS, max_steps=12, averaged_steps=2, learning_rate=1e-2)
    _, start = run(pool, tmp_path / "start", replace(settings, max_steps=1))
    _, end = run(pool, tmp_path / "end", settings)
    assert end[-1].unexplained8 < start[-1].unexplained8
    assert end[-1].unexplained16 < start[-1].unexplained16


def test_other_settings_do_not_go_on_from_a_checkpoint(pool: Pool, tmp_path: Path) -> None:
    run(pool, tmp_path, replace(STEPS, max_steps=1))
    with pytest.raises(TrialsightError, match="made with other settings"):
        run(pool, tmp_path, replace(STEPS, seed=1), resume=True)


def test_a_teacher_with_other_strides_is_refused(pool: Pool, tmp_path: Path) -> None:
    teacher = create_backbone("resnet18", "random", ("layer1", "layer2"))
    with pytest.raises(TrialsightError, match=r"strides \(4, 8\).*layer2 and layer3"):
        distil(teacher, pool, STEPS, tmp_path / "x.pt")


def test_a_folder_without_photographs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrialsightError, match="holds 0 images"):
        Pool.gather(tmp_path, 0, 0, 0)


def test_a_photograph_that_cannot_be_decoded_is_named(photographs: Path, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"not a picture")
    with pytest.raises(TrialsightError, match=r"a\.jpg can't be decoded"):
        Pool.gather(tmp_path, 0, 0, 0)


def test_crops_depend_on_seed_and_number_alone(pool: Pool) -> None:
    one, same, other = Crops(pool, 4, seed=7), Crops(pool, 4, seed=7), Crops(pool, 4, seed=8)
    same[0]
    assert torch.equal(one[5], same[5])
    assert one[5].shape[:2] == (4, 3) and one[5].dtype == torch.uint8
    assert one[5].shape != other[5].shape or not torch.equal(one[5], other[5])


def test_the_second_half_of_a_batch_is_the_first_with_blemishes(pool: Pool) -> None:
    crops = Crops(pool, 6, seed=0)
    changed = torch.cat([(a.int() - b.int()).abs().amax((1, 2, 3)) for a, b in (crops[i].chunk(2) for i in range(6))])
    alike = torch.cat([(a == b).float().mean((1, 2, 3)) for a, b in (crops[i].chunk(2) for i in range(6))])
    assert float((changed > 0).float().mean()) > 0.9
    assert float(alike.median()) > 0.5


def test_an_odd_batch_is_refused(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(TrialsightError, match="batch of 3"):
        run(pool, tmp_path, replace(STEPS, batch=3))


def test_a_student_to_begin_with_is_gone_on_from(pool: Pool, tmp_path: Path) -> None:
    first, _ = run(pool, tmp_path / "first", replace(STEPS, max_steps=8, averaged_steps=2, learning_rate=1e-2))
    teacher = create_backbone("resnet18", "random", ("layer2", "layer3"))
    settings = replace(STEPS, max_steps=1, learning_rate=1e-9)
    again = distil(teacher, pool, settings, tmp_path / "again.pt", init=first.student)
    assert again.last.unexplained8 == pytest.approx(first.last.unexplained8, rel=0.05)
    assert again.last.unexplained16 == pytest.approx(first.last.unexplained16, rel=0.05)


def test_held_out_pictures_are_not_trained_on(pool: Pool) -> None:
    trained = [id(picture) for picture in pool.photographs + pool.textures]
    assert pool.held_out and not set(trained) & {id(picture) for picture in pool.held_out}


@pytest.mark.parametrize("seed", range(8))
def test_textures_are_pictures_of_something_and_repeat(seed: int) -> None:
    picture = texture(np.random.default_rng(seed), 64)
    assert picture.shape == (64, 64, 3) and picture.dtype == np.uint8
    assert picture.std() > 0
    assert np.array_equal(picture, texture(np.random.default_rng(seed), 64))


def test_loss_is_nothing_for_a_copy_and_the_share_of_variance_for_a_constant() -> None:
    maps = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    mean = maps.mean(dim=(2, 3), keepdim=True)
    variance = (maps - mean).square().mean(dim=(1, 2, 3))
    assert float(distance(maps, maps)) == 0
    expected = float((variance / (variance + FLOOR)).mean())
    assert float(unexplained(mean.expand_as(maps), maps)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.02, 1.0), (0.51, 0.5), (1.0, 0.0), (1.5, 0.0)],
    ids=["warmed up", "half way", "at the end", "beyond it"],
)
def test_learning_rate(share: float, expected: float) -> None:
    assert learning_rate_share(share, 0.02) == pytest.approx(expected, abs=1e-9)


def test_folding_changes_nothing_but_the_scale() -> None:
    torch.manual_seed(0)
    student = Student(TINY)
    student.train()(torch.randn(8, 3, 64, 64))  # statistics that aren't the identity's
    student.eval()
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        for scale, before, after in zip((2.0, 3.0), student(x), fold(student, 2.0, 3.0)(x), strict=True):
            torch.testing.assert_close(after, scale * before, rtol=1e-4, atol=1e-4)


def test_unfolding_is_the_opposite_of_folding() -> None:
    torch.manual_seed(0)
    student = Student(TINY)
    student.train()(torch.randn(8, 3, 64, 64))
    folded = fold(student.eval(), 2.0, 3.0)
    x = torch.randn(8, 3, 64, 64)
    with torch.no_grad():
        again = unfold(folded, x, 2.0, 3.0)
        for before, after, trained in zip(student(x), again.eval()(x), again.train()(x), strict=True):
            torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4)
            torch.testing.assert_close(trained, before, rtol=1e-3, atol=1e-3)


def test_the_command_writes_a_student_that_loads_and_tells_mlflow(photographs: Path, tmp_path: Path) -> None:
    from trialsight_training.backbones.shipped import load

    torch.save(torchvision.models.get_model("resnet18", weights=None).state_dict(), tmp_path / "trunk.pth")
    out = tmp_path / "student.safetensors"
    command = [
        *(sys.executable, "-m", "trialsight_training.distil", "--images", photographs),
        *("--teacher", tmp_path / "trunk.pth", "--out", out, "--textures", "2", "--parts", "2"),
        *("--batch", "2", "--max-steps", "2", "--threads", "1", "--home", tmp_path / "home", "--resume"),
    ]
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(map(str, command), capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "4 crops" in done.stderr
    assert load(out).layers == LAYERS
    card = json.loads((tmp_path / "student.card.json").read_text())
    assert card["made"]["steps"] == 2 and str(tmp_path) not in json.dumps(card)
    assert card["made"]["begun_with"] == ""
    artifacts = {path.name for path in (tmp_path / "home" / "mlflow" / "artifacts").rglob("*.*")}
    assert {"student.safetensors", "student.card.json"} <= artifacts
