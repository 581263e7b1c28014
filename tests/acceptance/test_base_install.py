"""A line computer has no torch: the built wheel with the base extras alone must serve."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import httpx
import mlflow
import numpy as np
import pytest

from trialsight.home import Home

ROOT = Path(__file__).resolve().parents[2]
Install = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def base_bin(tmp_path_factory: pytest.TempPathFactory, install: Install) -> Path:
    """The bin folder of a fresh virtual environment that holds the wheel and its base dependencies."""
    folder = tmp_path_factory.mktemp("base")
    done = install(folder / "venv", str(ROOT))
    if done.returncode != 0 and "No matching distribution" not in done.stderr and "connection" in done.stderr.lower():
        pytest.skip(f"no package registry can be reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return folder / "venv" / "bin"


def register(home: Home, package: Path, recipe: str) -> str:
    """What training leaves behind: a run with the package, and a registered version."""
    home.mlflow_artifacts.mkdir(parents=True)
    client = mlflow.MlflowClient(home.tracking_uri, home.tracking_uri)
    run = client.create_run(client.create_experiment(recipe, artifact_location=home.mlflow_artifacts.as_uri()))
    client.log_artifacts(run.info.run_id, str(package), "package")
    client.create_registered_model(recipe)
    version = client.create_model_version(recipe, f"runs:/{run.info.run_id}/package", run.info.run_id)
    return str(version.version)


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")  # MLflow's own use of SQLAlchemy
def test_the_base_install_serves_without_torch(
    base_bin: Path,
    make_package: Callable[..., Path],
    run: Callable[..., subprocess.CompletedProcess[str]],
    serve: Callable[..., object],
    tmp_path: Path,
) -> None:
    no_torch = subprocess.run([base_bin / "python", "-c", "import torch"], capture_output=True, text=True)
    assert no_torch.returncode != 0
    assert "No module named 'torch'" in no_torch.stderr

    home = Home(tmp_path / "home")
    version = register(home, make_package("bracket"), "bracket")
    promoted = run("promote", "bracket", version, "--home", home.root, "--line", "L1", bin=base_bin)
    assert promoted.returncode == 0, promoted.stderr

    frame = np.full((64, 64, 3), 128, np.uint8)
    frame[16:32, 16:32] = 255
    with serve(home.root, bin=base_bin) as url:  # type: ignore[attr-defined]
        answer = httpx.post(
            f"{url}/v1/lines/L1/frames?part=P-1",
            content=cv2.imencode(".jpg", frame)[1].tobytes(),
            headers={"content-type": "image/jpeg"},
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["verdict"] == "reject"
        assert httpx.get(f"{url}/").status_code == 200  # the viewer's templates are in the wheel


def test_training_without_its_libraries_says_what_to_install(
    base_bin: Path, run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "set" / "good").mkdir(parents=True)
    for number in range(6):
        cv2.imwrite(str(tmp_path / "set" / "good" / f"{number}.png"), np.full((64, 64, 3), 100 + number, np.uint8))
    done = run("train", "--data", tmp_path / "set", "--home", tmp_path / "home", bin=base_bin)
    assert done.returncode == 1
    assert "trialsight[train]" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "PYTHONPATH" not in os.environ


def test_the_wheel_carries_the_recipes_and_the_shipped_backbone(base_bin: Path) -> None:
    package = next((base_bin.parent / "lib").glob("python*/site-packages/trialsight_training"))
    assert (package / "recipes" / "bracket.yaml").is_file()
    assert (package / "backbones" / "shipped.safetensors").is_file()
