"""The commands as a script would call them, in their own process."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from trialsight.inspector import Inspector
from trialsight.recipe import load_recipe
from trialsight_datasets.sample import ImageSet

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "configs").glob("recipes/*.yaml")) + sorted((ROOT / "configs").glob("training/*.yaml"))


def trialsight(*words: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from trialsight.cli import main; main()", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_train_and_evaluate_end_with_one_json_object(bracket_set: ImageSet, tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(yaml.safe_dump({"name": "tiny", "input": {"size_px": 128}, "detector": {"bank_size": 100}}))
    home = tmp_path / "home"
    done = trialsight("train", "--data", bracket_set.root, "--recipe", recipe, "--home", home, "--good", 8, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result.keys() == {
        "recipe",
        "version",
        "run_id",
        "package",
        "report",
        "metrics",
        "classes",
        "thresholds",
        "doubtful",
        "seconds",
    }
    assert (result["recipe"], result["version"]) == ("tiny", "1")
    assert result["metrics"].keys() >= {"image_auroc", "pixel_auroc", "aupro", "escapes", "false_rejects"}
    assert result["thresholds"].keys() == {"t1", "t2", "promise"}
    assert result["thresholds"]["promise"]["n"] == 8
    assert "only 8 good parts" in done.stderr
    assert "alembic" not in done.stderr and "INFO" not in done.stderr
    assert Inspector.load(result["package"]).card.recipe == "tiny"

    words = ("tiny/1", "--home", home, "--data", bracket_set.root, "--report", tmp_path / "report.html", "--json")
    again = trialsight("evaluate", *words)
    assert again.returncode == 0, again.stderr
    measured = json.loads(again.stdout)
    assert measured["package"] == result["package"]
    assert measured["metrics"] == pytest.approx(result["metrics"])
    assert measured["classes"] == result["classes"]
    for page in (tmp_path / "report.html", Path(result["report"])):
        text = page.read_text(encoding="utf-8")
        assert str(Inspector.load(result["package"]).card.promise) in text
        assert not re.findall(r'(?:src|href)="(?!data:|#)', text), "a page needs nothing from elsewhere"


def test_faults_are_one_line(bracket_set: ImageSet, tmp_path: Path) -> None:
    cases = [
        (("--data", tmp_path / "nowhere"), "nowhere does not exist"),
        (("--data", bracket_set.root, "--recipe", "nosuch"), "there is no recipe 'nosuch'"),
    ]
    for words, message in cases:
        done = trialsight("train", *words, "--home", tmp_path / "home", "--json")
        assert done.returncode == 1, words
        assert message in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_recipe_loads_and_is_named_as_its_file(path: Path) -> None:
    assert load_recipe(path).name == path.stem


def test_there_are_recipes() -> None:
    sets = {"casting", "magnetic_tile", "cookie", "assembly_screws", "alien_figure"}
    assert {("recipes", "bracket"), *(("training", one) for one in sets)} <= {
        (path.parent.name, path.stem) for path in RECIPES
    }
