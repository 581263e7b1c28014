"""The README's first command, as a newcomer runs it."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from trialsight_serving.demo.summary import DemoFrame, add_up, why_it_failed

DEMO = [Path(sys.executable).with_name("trialsight"), "demo"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one demo has left, the next finds: the second does not simulate its product again."""
    return tmp_path_factory.mktemp("home") / "demo"


def test_once_does_the_whole_job(home: Path) -> None:
    done = subprocess.run([*DEMO, "--once", "--home", home, "--port", "0"], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((home / "summary.json").read_text())
    assert summary["ok"] is True
    assert len(summary["frames"]) == summary["totals"]["frames"] == 30
    assert summary["totals"]["escapes"] == 0
    assert summary["totals"]["false_rejects"] <= 1
    assert summary["totals"]["good"] >= 10
    assert summary["totals"]["defective"] >= 5
    assert {"truth", "verdict", "score", "latency_ms"} <= set(summary["frames"][0])
    assert "escapes" in done.stdout


def test_ctrl_c_ends_everything_it_started(home: Path) -> None:
    with subprocess.Popen(
        [*DEMO, "--home", home, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # as a shell's background job has it
    ) as process:
        assert process.stdout is not None
        url = ""
        for line in process.stdout:
            if "Viewer:" in line:
                url = line.split("Viewer:")[1].strip()
            if "truth" in line:
                break
        assert url
        assert httpx.get(f"{url}livez").status_code == 200
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert "Stopped" in rest
    assert "Traceback" not in rest
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}livez")
    time.sleep(0.2)
    left = subprocess.run(["pgrep", "-f", str(home)], capture_output=True, text=True).stdout
    assert left == ""


def test_a_busy_port_is_named_before_any_work(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = subprocess.run(
            [*DEMO, "--home", tmp_path / "demo", "--port", str(port)], capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert not (tmp_path / "demo").exists()


def frame(truth: str, verdict: str, latency: float = 10.0) -> DemoFrame:
    return DemoFrame("P-1", truth, verdict, 0.5, latency)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([("good", "pass"), ("dent", "reject")], None),
        ([("good", "reject"), ("good", "pass"), ("dent", "review")], None),
        ([("good", "reject"), ("good", "reject"), ("dent", "reject")], "2 of 2 good parts were rejected"),
        ([("good", "pass"), ("dent", "pass")], "1 of 1 defective parts passed"),
        ([("good", "no_verdict"), ("dent", "reject")], "1 frames got no verdict"),
        ([("good", "pass"), ("good", "pass")], "only good or only defective"),
    ],
)
def test_the_demo_judges_itself(frames: list[tuple[str, str]], reason: str | None) -> None:
    totals = add_up([frame(*pair) for pair in frames])
    failure = why_it_failed(totals, len(frames))
    assert (failure is None) if reason is None else (reason in (failure or ""))


def test_frames_that_never_came_are_a_failure() -> None:
    assert "only 1 of 30" in (why_it_failed(add_up([frame("good", "pass")]), 30) or "")


def test_percentiles_are_the_nearest_rank() -> None:
    totals = add_up([frame("good", "pass", float(ms)) for ms in range(1, 101)])
    assert (totals.p50_ms, totals.p99_ms) == (50.0, 99.0)
