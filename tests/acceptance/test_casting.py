"""The main job on real photographs: cast pump impellers, where they are at hand."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def casting(shared: Path, tmp_path: Path) -> Path:
    """All its good parts, and every fifth of the defective ones: the bench measures on them all."""
    whole, part = shared / "data" / "casting", tmp_path / "casting"
    for files in (sorted(folder.iterdir())[:: 1 if folder.name == "good" else 5] for folder in whole.glob("*/*")):
        for file in files:
            target = part / file.relative_to(whole)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    return part


def test_a_chipped_casting_is_rejected_by_a_model_of_good_ones(
    casting: Path, shared: Path, run: Run, serve: Callable[..., object], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    weights = shared / "weights" / "resnet18_trunk.pth"
    trained = run(
        "train", "--data", casting, "--recipe", "casting", "--weights", weights, "--home", home, "--json", timeout=500
    )
    assert trained.returncode == 0, trained.stderr
    result = json.loads(trained.stdout)
    assert result["metrics"]["image_auroc"] >= 0.94
    promoted = run("promote", result["recipe"], result["version"], "--home", home, "--line", "L1")
    assert promoted.returncode == 0, promoted.stderr

    clearest = _clearest(run, Path(result["package"]), sorted((casting / "test" / "chipping").iterdir()))
    with serve(home) as url:  # type: ignore[attr-defined]
        answer = httpx.post(
            f"{url}/v1/lines/L1/frames?part=P-1",
            content=clearest.read_bytes(),
            headers={"content-type": "image/jpeg" if clearest.suffix.startswith(".jp") else "image/png"},
        ).json()
    assert answer["verdict"] == "reject"
    assert answer["regions"]


def _clearest(run: Run, package: Path, files: list[Path]) -> Path:
    rows = json.loads(run("inspect", package, *files, "--json").stdout)
    assert all(row["verdict"] != "no_verdict" for row in rows)
    return Path(max(rows, key=lambda row: row["score"])["file"])
