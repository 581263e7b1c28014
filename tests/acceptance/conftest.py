"""Whole-system helpers: run the command line, run the service as its own process."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
Serve = Callable[..., contextlib.AbstractContextManager[str]]


@pytest.fixture
def run() -> Run:
    """`run("train", "--data", folder)` runs `trialsight` of this environment, or of the `bin` folder given."""

    def call(
        *words: object, bin: Path = Path(sys.executable).parent, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run([bin / "trialsight", *map(str, words)], capture_output=True, text=True, timeout=timeout)

    return call


@pytest.fixture(scope="session")
def install() -> Run:
    """`install(folder, "numpy")`: pip's answer; the virtual environment is made where it isn't yet.

    This environment's pip does it: to install another is slow and proves nothing.
    """

    def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        if not (folder / "bin").is_dir():
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
        return subprocess.run([*pip, "--quiet", "--disable-pip-version-check", *words], capture_output=True, text=True)

    return call


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """`with serve(home) as url:` a service that answers `/readyz`, or at least `/livez` where `ready` is False."""

    @contextlib.contextmanager
    def running(home: Path, bin: Path = Path(sys.executable).parent, ready: bool = True) -> Iterator[str]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        log = tmp_path / "serve.log"
        with log.open("a") as output:
            words = ["serve", "--home", str(home), "--host", "127.0.0.1", "--port", str(port)]
            process = subprocess.Popen([bin / "trialsight", *words], stdout=output, stderr=output, env=dict(os.environ))
        try:
            _await(f"{url}/{'readyz' if ready else 'livez'}", process, log)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    return running


def _await(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=60).status_code == 200:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"{url} did not answer:\n{log.read_text()[-3000:]}")
