"""What the documents tell people to type is typed here. Blocks are marked `<!-- run: NAME -->`."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from trialsight.card import Variant
from trialsight.engines import installed_engines
from trialsight.files import sha256_of
from trialsight.package import load_package, write_card

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def block(document: str, name: str) -> str:
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.search(rf"<!-- run: {name} -->\n```\w+\n(.*?)```", text, re.S)
    assert found, f"{document} has no block {name!r}"
    return found.group(1)


def test_the_first_screen_holds_the_two_commands() -> None:
    first_screen = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:12]
    assert any(line.startswith("make demo") for line in first_screen)
    assert any(line.startswith("make test") for line in first_screen)


def test_every_make_target_that_is_named_exists() -> None:
    named: set[str] = set()
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        named |= set(re.findall(r"`?make ([a-z-]+)", document.read_text(encoding="utf-8")))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert named - {"sure"} <= targets


def test_every_linked_file_exists() -> None:
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\((?!http)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_every_recipe_field_of_the_reference_is_one(tmp_path: Path) -> None:
    from trialsight.recipe import load_recipe

    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    example = re.search(r"```yaml\n(.*?)```", text, re.S)
    assert example
    path = tmp_path / "bracket.yaml"
    path.write_text(example.group(1), encoding="utf-8")
    assert len(load_recipe(path).rules) == 3


def test_a_readers_own_folder_goes_live_and_answers_curl(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: apt-get install curl")
    parts = tmp_path / "parts"
    made = [BIN / "trialsight", "data", "simulate", parts, "--good", "12", "--test-good", "4", "--defects", "2"]
    subprocess.run(made, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    defect = next((parts / "test" / "missing_hole").iterdir())
    variables = {"PARTS": parts, "FACTORY": tmp_path / "factory", "PORT": port, "FRAME": defect}
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"} | {
        name: str(value) for name, value in variables.items()
    }
    script = f"set -euo pipefail\n{block('README.md', 'own-parts')}\nwait"
    with (tmp_path / "log").open("w") as log:
        shell = subprocess.Popen(["bash", "-c", script], env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            _await_ready(f"http://127.0.0.1:{port}/readyz", shell, tmp_path / "log")
            posted = subprocess.run(
                ["bash", "-c", block("README.md", "post")], env=env, capture_output=True, text=True, check=True
            )
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
            shell.wait(60)
    answer = json.loads(posted.stdout)
    promised = set(re.findall(r'"(\w+)":', re.search(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]))  # type: ignore[index]
    nested = [answer["thresholds"], answer["timings_ms"], answer["model"], answer["regions"][0]]
    missing = promised - set(answer).union(*nested)
    assert missing == set()
    assert answer["part"] == "P-1"
    assert answer["verdict"] == "reject"
    assert answer["recipe"] == "parts"


def _await_ready(url: str, shell: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(1800):
        try:
            if httpx.get(url, timeout=60).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
        assert shell.poll() is None, log.read_text()
    raise AssertionError(f"not ready in time:\n{log.read_text()}")


@pytest.fixture(scope="module")
def edge_python(
    tmp_path_factory: pytest.TempPathFactory, install: Callable[..., subprocess.CompletedProcess[str]]
) -> Path:
    """Python of a fresh environment that holds the core's three libraries and nothing else."""
    folder = tmp_path_factory.mktemp("edge")
    for words in (["--no-deps", str(ROOT)], ["--no-compile", "numpy", "opencv-python-headless", "onnxruntime"]):
        done = install(folder, *words)
        if done.returncode != 0 and "connection" in done.stderr.lower():
            pytest.skip(f"no package registry can be reached: {done.stderr.splitlines()[-1]}")
        assert done.returncode == 0, done.stderr
    return folder / "bin" / "python"


@pytest.fixture
def edge_folder(make_package: Callable[..., Path], tmp_path: Path) -> Path:
    """With a package that has a variant, and frames: a good part, a defective one, and no image."""
    package = make_package(folder=tmp_path / "packages" / "parts" / "1")
    graph = package / "int8.onnx"
    graph.write_bytes((package / "model.onnx").read_bytes())
    card = load_package(package).card
    scores = tuple(frame.score for frame in card.golden)
    variant = Variant("int8", graph.name, sha256_of(graph), graph.stat().st_size, card.thresholds, card.promise, scores)
    write_card(package, replace(card, variants=(variant,)))
    frames = tmp_path / "frames"
    frames.mkdir()
    good = np.full((64, 64, 3), 128, np.uint8)
    bad = good.copy()
    bad[16:32, 16:32] = 255
    cv2.imwrite(str(frames / "a.png"), good)
    cv2.imwrite(str(frames / "b.png"), bad)
    (frames / "c.txt").write_text("not an image")
    return tmp_path


def test_the_edge_example_runs_with_three_libraries(edge_python: Path, edge_folder: Path) -> None:
    for absent in ("pydantic", "yaml", "typer", "fastapi", "torch"):
        assert subprocess.run([edge_python, "-c", f"import {absent}"], capture_output=True).returncode != 0, absent
    code = block("docs/edge.md", "edge")
    done = subprocess.run([edge_python, "-W", "error", "-c", code], cwd=edge_folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("a.png pass")
    assert lines[1].startswith("b.png reject")
    assert lines[2].strip().startswith("(16")
    assert lines[3].startswith("c.txt no_verdict")


@pytest.mark.skipif("openvino" not in installed_engines(), reason="OpenVINO is not installed")
def test_the_edge_pages_other_blocks_follow_from_the_first(edge_folder: Path) -> None:
    code = "".join(block("docs/edge.md", name) for name in ("edge", "edge-variants", "edge-fastest"))
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=edge_folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *_, runtime, choice = done.stdout.splitlines()
    assert runtime.startswith("int8 in openvino")
    assert "tried on a golden frame" in choice
    assert list((edge_folder / "runtimes").iterdir())
