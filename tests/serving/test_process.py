"""The real command: `trialsight serve` as a process, drained by SIGTERM."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from trialsight.home import Home
from trialsight_serving.models.registry import Registry

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
TRIALSIGHT = str(Path(sys.executable).with_name("trialsight"))


@contextmanager
def service(home: Home, *options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A running `trialsight serve` on a free port, and its address; its log is read so that no pipe fills up."""
    command = [TRIALSIGHT, "serve", "--home", str(home.root), "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    try:
        url = next(said["url"] for said in logged(process.stderr) if said.get("event") == "listening")
        reader = threading.Thread(target=lambda: list(process.stderr or ()), daemon=True)
        reader.start()
        wait_until_ready(url)
        yield process, url
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def logged(stream: IO[str]) -> Iterator[dict[str, Any]]:
    for line in stream:
        yield json.loads(line)


def wait_until_ready(url: str) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(retries=5)) as client:
        for _ in range(1200):
            try:
                if client.get(f"{url}/readyz", timeout=60).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            threading.Event().wait(0.05)
    pytest.fail("the service did not get ready")


def test_a_restart_imports_neither_mlflow_nor_the_migrations(
    promoted: Home, tmp_path: Path, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    remembered = promoted.root / "mlflow" / "aliases-default.json"  # by the service that ran before
    eventually(lambda: bool(Registry(promoted).watch()) and remembered.is_file())
    log = tmp_path / "log"
    environment = os.environ | {"PYTHONPROFILEIMPORTTIME": "1", "TRIALSIGHT_POLL_S": "0.05"}
    with log.open("w") as stderr:
        command = [TRIALSIGHT, "serve", "--home", str(promoted.root), "--port", "0"]
        process = subprocess.Popen(command, stderr=stderr, env=environment)
    try:
        eventually(lambda: "model live" in log.read_text())
        threading.Event().wait(0.5)  # several looks at the registry
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
    imported = {line.rpartition("|")[2].strip() for line in log.read_text().splitlines()}
    assert {"trialsight_serving.app", "onnxruntime"} <= imported
    assert imported & {"mlflow", "alembic", "torch", "pandas", "sklearn", "scipy"} == set()


def test_sigterm_lets_a_running_frame_finish_and_ends_streams(promoted: Home, bad: bytes) -> None:
    with service(promoted) as (process, url):
        address = httpx.URL(url)
        listener = threading.Thread(target=lambda: httpx.get(f"{url}/v1/stream", timeout=30), daemon=True)
        listener.start()
        connection = socket.create_connection((address.host, address.port or 80), timeout=60)
        head = f"POST {FRAMES} HTTP/1.1\r\nHost: {address.host}\r\nContent-Type: image/png\r\n"
        connection.sendall(f"{head}Content-Length: {len(bad)}\r\n\r\n".encode() + bad[:20])
        with httpx.Client(base_url=url) as client:
            while client.get("/v1/lines").json()[0]["depth"] == 0:
                threading.Event().wait(0.02)
        process.send_signal(signal.SIGTERM)
        threading.Event().wait(0.3)
        connection.sendall(bad[20:])
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        connection.close()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'"verdict":"reject"' in answer
        process.wait(60)
        listener.join(60)
        assert not listener.is_alive()
        assert process.returncode == -signal.SIGTERM


def test_a_port_that_is_taken_is_named_in_one_line(promoted: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        second = subprocess.run(
            [TRIALSIGHT, "serve", "--home", str(promoted.root), "--port", port],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert second.returncode == 1
    assert second.stderr.startswith(f"trialsight: 127.0.0.1:{port} can't be bound")
    assert second.stderr.count("\n") == 1


def test_the_camera_posts_a_folder_and_prints_a_line_a_frame(
    promoted: Home, frame: Callable[..., bytes], tmp_path: Path
) -> None:
    for kind, name, blob in (("good", "000", 0), ("good", "001", 0), ("dent", "000", 100)):
        folder = tmp_path / "set" / "test" / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(frame(blob=blob, seed=blob + int(name)))
    masks = tmp_path / "set" / "ground_truth" / "dent"
    masks.mkdir(parents=True)
    (masks / "000.png").write_bytes(frame())
    broken = tmp_path / "set" / "test" / "dent" / "zzz.jpg"
    broken.write_bytes(b"no image")
    with service(promoted) as (_, url):
        command = [TRIALSIGHT, "camera", "--source", str(tmp_path / "set"), "--url", url, "--interval", "0", "--json"]
        command += ["--home", str(tmp_path / "edge")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    shots = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(shot["part"], shot["truth"], shot["verdict"]) for shot in shots] == [
        ("dent-000", "dent", "reject"),
        ("dent-zzz", "dent", None),
        ("good-000", "good", "pass"),
        ("good-001", "good", "pass"),
    ]
    assert shots[1]["problem"].startswith("415")
    assert all(shot["latency_ms"] > 0 for shot in shots)
    assert "4 frames: 2 pass, 1 refused, 1 reject" in done.stderr


def test_ctrl_c_stops_a_camera_that_waits_for_its_service(tmp_path: Path, good: bytes) -> None:
    (tmp_path / "a.png").write_bytes(good)
    command = [TRIALSIGHT, "camera", "--source", str(tmp_path), "--url", "http://127.0.0.1:9"]
    command += ["--home", str(tmp_path / "edge")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "does not answer" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    process.stderr.close()


def test_serving_needs_no_torch(promoted: Home, tmp_path: Path, bad: bytes) -> None:
    """Every module of serving imports, and a frame gets its verdict, where torch, onnx and training can't be found."""
    script = tmp_path / "no_torch.py"
    (tmp_path / "bad.png").write_bytes(bad)
    script.write_text(
        """
import importlib, pkgutil, sys
class Barred:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "onnx", "trialsight_training", "trialsight_datasets"}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Barred())
import trialsight_serving
for module in pkgutil.walk_packages(trialsight_serving.__path__, "trialsight_serving."):
    if ".migrations" not in module.name and ".demo" not in module.name:
        importlib.import_module(module.name)
from trialsight_serving.models.promotion import promote
from trialsight.home import Home
from trialsight.inspector import Inspector
from pathlib import Path
home = Home.at(Path(sys.argv[1]))
promote(home, "blob", "1")
print(Inspector.load(home.package("blob", "1"))(Path(sys.argv[2]).read_bytes()).verdict)
"""
    )
    shutil.rmtree(promoted.packages)
    command = [sys.executable, str(script), str(promoted.root), str(tmp_path / "bad.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONWARNINGS": ""})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "reject"
