"""One step of a job as a process of its own: its result, its progress, its end when it is cancelled."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trialsight.errors import TrialsightError
from trialsight_serving.jobs.child import NICE

_COUNTED = re.compile(r"^(?P<step>[\w ]+?): (?P<done>\d+)/(?P<total>\d+)$")
_TIMED = re.compile(r"^(?P<step>[\w ]+?)\s+\d+\.\d s$")
_LOOK_S = 0.5


class CancelledError(Exception):
    """Somebody asked for the job's end."""


def run_command(
    words: list[str],
    log: Path,
    threads: int,
    tell: Callable[[str, float | None], None],
    cancelled: Callable[[], bool],
    nice: bool = True,
) -> dict[str, Any]:
    """Run `trialsight WORDS --json` and give its JSON object. Its stderr goes to `log`, progress in it to `tell`.

    `nice`: after everything else on the machine. Raises TrialsightError with the command's own words where it fails,
    CancelledError where `cancelled` says so.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        child_command([*words, "--json"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(threads, nice=nice),
        start_new_session=True,
    ) as process:
        said: list[str] = []
        out: list[str] = []
        readers = [
            threading.Thread(target=_follow, args=(process.stderr, log, said, tell), daemon=True),
            threading.Thread(target=lambda: out.append(process.stdout.read() if process.stdout else ""), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            while process.poll() is None:
                if cancelled():
                    raise CancelledError
                _wait(process)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            for reader in readers:
                reader.join()
    if process.returncode != 0:
        reason = next((line for line in reversed(said) if line.startswith("trialsight: ")), None)
        last = (reason or (said[-1] if said else f"exit code {process.returncode}")).removeprefix("trialsight: ")
        raise TrialsightError(f"`trialsight {words[0]}` failed: {last}", f"see {log.name}")
    result: dict[str, Any] = json.loads(out[0])
    return result


def child_command(words: list[str]) -> list[str]:
    """`trialsight WORDS` as a child that goes with its parent."""
    return [sys.executable, "-m", "trialsight_serving.jobs.child", *words]


def child_environment(threads: int, *, nice: bool) -> dict[str, str]:
    """In which it computes on so many threads, after everybody else where it is `nice`."""
    limited = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    return {**os.environ, **limited, NICE: str(int(nice))}


def _wait(process: "subprocess.Popen[str]") -> None:
    try:
        process.wait(_LOOK_S)
    except subprocess.TimeoutExpired:
        return


def _follow(stream: Any, log: Path, said: list[str], tell: Callable[[str, float | None], None]) -> None:
    with log.open("a", encoding="utf-8") as file:
        for line in stream:
            file.write(line)
            file.flush()
            plain = line.strip()
            said.append(plain)
            del said[:-50]
            if counted := _COUNTED.match(plain):
                tell(counted["step"], int(counted["done"]) / max(1, int(counted["total"])))
            elif timed := _TIMED.match(plain):
                tell(timed["step"], None)
