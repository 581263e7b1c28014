"""What operators are given: metrics with a dashboard that asks for nothing else, units that systemd takes, settings."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from trialsight.home import Home
from trialsight_serving.settings import Settings

ROOT = Path(__file__).parents[2]
FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
TARGET = {"kind": "webhook", "name": "mes", "url": "http://127.0.0.1:9/", "secret": "whsec_" + "MTIzNDU2Nzg" * 4}
Serve = Callable[..., httpx.Client]


def exprs() -> Iterator[str]:
    """Every query of the dashboard."""
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "trialsight.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def test_the_dashboard_asks_for_metrics_and_labels_that_are_there(promoted: Home, serve: Serve, bad: bytes) -> None:
    with serve(promoted, outbox=[TARGET]) as client:
        assert client.post(FRAMES, content=bad, headers=PNG).json()["verdict"] == "reject"
        client.post(FRAMES, content=b"no image", headers=PNG)
        text = client.get("/metrics").text
    metrics = set(re.findall(r"^# TYPE (\w+)", text, re.M)) | set(re.findall(r"^(trialsight_\w+)[{ ]", text, re.M))
    labels = set(re.findall(r"[{,](\w+)=", text)) | {"outcome", "decision", "instance"}  # of what didn't happen yet
    asked = list(exprs())
    assert len(asked) > 20
    for expr in asked:
        assert set(re.findall(r"trialsight_\w+", expr)) <= metrics, expr
        grouped = {name.strip() for names in re.findall(r"by \(([^)]*)\)", expr) for name in names.split(",")}
        assert grouped | set(re.findall(r"[{,](\w+)[=!]", expr)) <= labels, expr
    told = set(re.findall(r"`(trialsight_\w+)", (ROOT / "docs" / "operation.md").read_text(encoding="utf-8")))
    assert {name for name in told if not name.endswith("_")} <= metrics
    real = {re.sub("_(bucket|sum|count)$", "", name) for name in metrics if not name.endswith("_created")}
    assert real - told <= {"trialsight_usage_frames", "trialsight_quota"}, "docs/operation.md doesn't tell of it"
    for wanted in (
        r'trialsight_frames_total{line="L1",reason="score",verdict="reject"} 1.0',
        r'trialsight_outbox_waiting{target="mes"} 1.0',
        r"trialsight_ready 1.0",
        r'trialsight_deadline_missed_total{line="L1"} 0.0',
    ):
        assert wanted in text
    values = dict(re.findall(r"^(trialsight_\w+)(?:{[^}]*})? (\S+)$", text, re.M))
    for name in ("storage_free_bytes", "storage_database_bytes", "models_bytes", "outbox_age_seconds"):
        assert float(values[f"trialsight_{name}"]) > 0, name


def test_each_setting_is_in_the_file_with_its_default() -> None:
    """Those without a default, or whose default is the machine's, stand there as comments."""
    text = (ROOT / "configs" / "service" / "default.yaml").read_text(encoding="utf-8")
    given = yaml.safe_load(text)
    shown = re.findall(r"^# (\w+):", text, re.M)
    assert set(given) | set(shown) == set(Settings.model_fields)
    assert not set(given) & set(shown)
    for line in text.splitlines():
        assert "#" in line or re.match(r"\w+:", line) is None or line.startswith(("host", "port")), (
            f"no comment: {line}"
        )


UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not there")
    text = unit.read_text(encoding="utf-8")
    commands = re.findall(r"^Exec\w+=/opt/trialsight/bin/trialsight (\w+)", text, re.M)
    assert commands
    text = text.replace("/opt/trialsight/bin/trialsight", shutil.which("true") or "/bin/true")
    (tmp_path / unit.name).write_text(text.replace("After=trialsight.service\n", ""))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)]
    done = subprocess.run(command, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if unit.name in line and "Unit is bound" not in line]
    assert (said, done.returncode) == ([], 0), done.stderr
    known = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f'\n{name} = "trialsight' in known for name in commands)
