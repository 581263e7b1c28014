"""The folders are the architecture: what must be there, what must not, and which way imports run."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WINGS = {
    "inspect": "trialsight",
    "datasets": "trialsight_datasets",
    "training": "trialsight_training",
    "serving": "trialsight_serving",
}


@pytest.mark.parametrize(("folder", "package"), WINGS.items())
def test_each_wing_is_a_source_root_with_one_package(folder: str, package: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists(), f"{folder}/__init__.py would shadow a package of that name"
    assert (ROOT / folder / package / "__init__.py").is_file()
    assert (ROOT / folder / package / "py.typed").is_file()
    others = {path.name for path in (ROOT / folder).iterdir() if path.is_dir()} - {package, "__pycache__"}
    assert not others


def test_the_standard_librarys_inspect_is_not_shadowed_from_the_root() -> None:
    code = "import inspect; inspect.signature(print); print(inspect.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert str(ROOT / "inspect") not in done.stdout


def test_no_code_asks_whether_datasets_is_installed() -> None:
    # From the root, find_spec("datasets") finds our folder as a namespace package, so it proves nothing.
    asked = [
        path
        for folder in WINGS
        for path in (ROOT / folder).rglob("*.py")
        if 'find_spec("datasets")' in path.read_text(encoding="utf-8")
    ]
    assert asked == []


def test_imports_run_one_way() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("package", WINGS.values())
def test_the_wings_command_modules_import_nothing_heavy(package: str) -> None:
    # `trialsight --help` imports them all; it must stay quick and work without the [train] extra.
    modules = [
        f"{package}.{'.'.join(path.relative_to(ROOT / folder / package).with_suffix('').parts)}"
        for folder, name in WINGS.items()
        if name == package
        for path in (ROOT / folder / package).rglob("command*.py")
    ]
    assert modules
    heavy = "{'torch', 'mlflow', 'fastapi', 'sklearn', 'matplotlib', 'albumentations', 'onnx'}"
    code = f"import sys, importlib\nfor m in {modules}: importlib.import_module(m)\nprint({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_files_keep_to_one_idea() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in WINGS
        for path in (ROOT / folder).rglob("*.[pj][ys]")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}, "past 400 lines, look for the second idea"


def test_the_packages_import_under_their_own_names() -> None:
    for package in WINGS.values():
        assert importlib.util.find_spec(package) is not None
