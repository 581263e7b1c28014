"""The demo's steps as processes of their own: what a user would type, and what they'd see if it failed."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from trialsight.errors import TrialsightError

# By module, not by the script on PATH: the same interpreter and installation run every step.
TRIALSIGHT = [sys.executable, "-c", "from trialsight.cli import main; main()"]


def run_step(*words: object) -> dict[str, Any]:
    """Run `trialsight WORDS --json` and give its JSON object; progress goes through to stderr. Raises on failure."""
    arguments = [str(word) for word in words]
    done = subprocess.run([*TRIALSIGHT, *arguments, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise TrialsightError(f"`trialsight {' '.join(arguments)}` failed with exit code {done.returncode}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@contextlib.contextmanager
def background(words: list[str], log: Path, stdout: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process that is ended, gently at first, when the block ends, however it ends.

    It gets a session of its own: Ctrl-C reaches the demo alone, which then ends the others in the right order.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [*TRIALSIGHT, *words], stdout=stdout or errors, stderr=errors, text=True, start_new_session=True
        )
        try:
            yield process
        finally:
            stop(process)
            if process.stdout is not None:
                process.stdout.close()


def stop(process: subprocess.Popen[str], patience_s: float = 15.0) -> None:
    """SIGTERM, then SIGKILL for one that doesn't end in time."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def check_port(host: str, port: int) -> int:
    """`port` if it is free, or a free one for 0. Raises TrialsightError when somebody listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise TrialsightError(
                f"port {port} on {host} is in use", "stop what listens there, or choose another: --port 8001"
            ) from None
        return int(probe.getsockname()[1])


def wait_ready(url: str, server: subprocess.Popen[str], log: Path, patience_s: float = 60.0) -> None:
    """Wait until the service says that it is ready. Raises TrialsightError with the log's last line when it isn't."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz", timeout=5.0).status_code == httpx.codes.OK:
                return
        time.sleep(0.1)
    last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
    raise TrialsightError(f"the service at {url} did not become ready: {' '.join(last)}", f"see {log}")
