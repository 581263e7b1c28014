"""The same model behind three servers, each a process of its own as its users start it."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx

from benchmarks.measure.report import ROOT
from benchmarks.service.load import Plan, Seen
from trialsight.errors import TrialsightError
from trialsight_serving.demo.processes import TRIALSIGHT, check_port, run_step

LINE = "L1"
_PATIENCE_S = 120


@dataclass(frozen=True)
class Driven:
    """What a lap saw, and the processor time that the server spent on it."""

    seen: Seen
    cpu_s: float

    @property
    def frame_s(self) -> float:
        """Mean time of an answered frame."""
        return sum(self.seen.ms()) / len(self.seen.ms()) / 1000

    @property
    def frame_cpu_s(self) -> float:
        return self.cpu_s / len(self.seen.ms())


@dataclass(frozen=True)
class Door:
    """`bodies`: files as they are posted. `probe`: what tells that the server lives. `group`: of its processes."""

    name: str
    url: str
    path: str
    probe: str
    group: int
    bodies: list[str]
    content_type: str = "image/jpeg"
    headers: dict[str, str] = field(default_factory=dict)

    def plan(self, clients: int, seconds: float, rate_hz: float | None = None, first: int = 0, **headers: str) -> Plan:
        """`first`: which of its bodies comes first, so that a lap goes on where the one before it ended."""
        first %= len(self.bodies)
        return Plan(
            url=self.url,
            path=self.path,
            frames=self.bodies[first:] + self.bodies[:first],
            clients=clients,
            seconds=seconds,
            rate_hz=rate_hz,
            headers=self.headers | headers,
            content_type=self.content_type,
            probe=self.probe,
        )

    def cpu_s(self) -> float:
        """Processor time that the server and its children have had."""
        ticks = 0
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError, IndexError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if folder.name.isdigit() and int(fields[2]) == self.group:
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def drive(door: Door, plan: Plan) -> Driven:
    """Raises TrialsightError where nothing was answered."""
    cpu_s = door.cpu_s()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.service.load"],
        input=json.dumps(asdict(plan)),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    found = Driven(Seen(**json.loads(done.stdout)), door.cpu_s() - cpu_s)
    if not found.seen.ms():
        raise TrialsightError(f"{door.name} answered no frame: {found.seen.answers[:3]}")
    return found


@contextmanager
def trialsight(home: Path, recipe: str, frames: list[Path], log: Path) -> Iterator[Door]:
    """`home` holds version 1 of `recipe`. As in earnest: keys are asked for, and every verdict is on the disk first.

    The model runs in the form that the others run, not in the fastest of its variants.
    """
    run_step("promote", recipe, "1", "--home", home, "--line", LINE)
    key = run_step("bootstrap", "--home", home)["camera"]
    with start(home, log) as (url, group):
        yield Door(
            name="trialsight",
            url=url,
            path=f"/v1/lines/{LINE}/frames",
            probe="/livez",
            group=group,
            bodies=[str(frame) for frame in frames],
            headers={"X-API-Key": key},
        )


@contextmanager
def start(home: Path, log: Path) -> Iterator[tuple[str, int]]:
    """`trialsight serve`, ready: its address and its process group."""
    port = check_port("127.0.0.1", 0)
    command = [*TRIALSIGHT, "serve", "--home", str(home), "--port", str(port)]
    with _running(command, port, "/readyz", log, TRIALSIGHT_FASTEST_RUNTIME="false") as found:
        yield found


@contextmanager
def plain_fastapi(package: Path, frames: list[Path], log: Path, store: Path | None = None) -> Iterator[Door]:
    """`store`: where it keeps what it answers, durably."""
    port = check_port("127.0.0.1", 0)
    command = [sys.executable, "-m", "benchmarks.service.plain", str(package), str(port)]
    name = "plain FastAPI, storing" if store else "plain FastAPI"
    with _running([*command, *([str(store)] if store else [])], port, "/ping", log) as (url, group):
        yield Door(name, url, "/predict", "/ping", group, [str(frame) for frame in frames])


@contextmanager
def mlflow_serve(package: Path, frames: list[Path], scratch: Path, log: Path) -> Iterator[Door]:
    """`mlflow models serve` with its own settings; frames travel as base64 in JSON, since it takes nothing else."""
    from benchmarks.service.pyfunc import save

    model = scratch / "pyfunc"
    save(package, model)
    bodies = []
    for number, frame in enumerate(frames):
        table = {"columns": ["image"], "data": [[base64.b64encode(frame.read_bytes()).decode()]]}
        body = scratch / f"{number}.json"
        body.write_text(json.dumps({"dataframe_split": table}))
        bodies.append(str(body))
    port = check_port("127.0.0.1", 0)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(model), "--env-manager", "local"]
    with _running([*command, "--port", str(port)], port, "/ping", log) as (url, group):
        yield Door("mlflow models serve", url, "/invocations", "/ping", group, bodies, "application/json")


@contextmanager
def _running(command: list[str], port: int, probe: str, log: Path, **environment: str) -> Iterator[tuple[str, int]]:
    url = f"http://127.0.0.1:{port}"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # MLflow starts uvicorn by its name
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            env=os.environ | {"PATH": path} | environment,
            cwd=ROOT,
            start_new_session=True,
        )
    try:
        _wait_ready(f"{url}{probe}", process, log)
        yield url, os.getpgid(process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=5).status_code == httpx.codes.OK:
                return
        time.sleep(0.02)
    raise TrialsightError(f"the server at {url} did not become ready", f"see {log}")
