"""anomalib in an environment of its own (`.venv-anomalib`), driven over a pipe so that it can take turns with us."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure.progress import say
from benchmarks.measure.report import ROOT
from benchmarks.measure.timing import Spent
from trialsight.errors import TrialsightError
from trialsight.files import write_json_atomic

VENV = ROOT / ".venv-anomalib"
WORKER = Path(__file__).with_name("anomalib_worker.py")
# torch and torchvision as the project pins them: both sides run the same kernels.
PACKAGES = (
    "torch==2.13.0",
    "torchvision==0.28.0",
    "anomalib==2.7.*",
    "openvino",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "opencv-python-headless",
)
SIZE_PX = 256
BANK_SHARE = 0.02


@dataclass(frozen=True)
class Fitted:
    """A trained PatchCore of theirs in `folder`. `reused`: `fit_s` is from an earlier run, so no ratio may use it.

    `exported`: by kind, `ok` or why not.
    """

    folder: Path
    fit_s: float
    bank: int
    exported: dict[str, str]
    reused: bool


class Anomalib:
    """The worker process; a context manager. `place` is where models and the worker's own clutter go."""

    def __init__(self, place: Path) -> None:
        self.place = place.resolve()
        place.mkdir(parents=True, exist_ok=True)
        install()
        self._log = (place / "worker.log").open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            # -P: the worker's own folder holds this file, which would pass for the library.
            [VENV / "bin" / "python", "-P", "-W", "ignore", WORKER],
            cwd=place,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.versions: dict[str, str] = self._ask(do="versions")

    def __enter__(self) -> "Anomalib":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._log.close()

    def fit(self, data: Path, trunk: Path, reuse: bool) -> Fitted:
        """Train on `data`, or take what an earlier run trained on a set of that name."""
        folder = self.place / data.name
        record = folder / "fitted.json"
        if reuse and record.is_file():
            return Fitted(folder, **json.loads(record.read_text(encoding="utf-8")), reused=True)
        record.unlink(missing_ok=True)
        said = self._ask(
            do="train", data=str(data), trunk=str(trunk), out=str(folder), size_px=SIZE_PX, ratio=BANK_SHARE
        )
        write_json_atomic(record, said)
        return Fitted(folder, **said, reused=False)

    def judge(self, fitted: Fitted, frames: Sequence[Path]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scores (N,) and maps (N, 256, 256) of `frames`, as the model gives them, before any normalisation."""
        to = fitted.folder / "judged.npz"
        self._ask(do="judge", out=str(fitted.folder), frames=[str(frame) for frame in frames], to=str(to))
        with np.load(to) as found:
            scores, maps = found["scores"], found["maps"]
        to.unlink()
        return scores, maps

    def load(self, fitted: Fitted, kind: str, threads: int, precision: str = "") -> None:
        """`precision`: OpenVINO's hint; left to itself it takes bfloat16 where the processor has tiles for it."""
        self._ask(do="load", out=str(fitted.folder), kind=kind, threads=threads, precision=precision)

    def spend(self, kind: str, frames: Sequence[Path]) -> Spent:
        """What `frames` take, timed in the worker itself."""
        return Spent(**self._ask(do="time", kind=kind, frames=[str(frame) for frame in frames]))

    def _ask(self, **command: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "it ended"}
        if "error" in answer:
            raise TrialsightError(
                f"anomalib could not {command['do']}: {answer['error']}", f"see {self.place / 'worker.log'}"
            )
        return answer


def install() -> None:
    """Make the environment where it isn't there yet: a gigabyte or two, some minutes."""
    stamp = VENV / ".installed"
    wanted = "\n".join(PACKAGES)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    say(f"installing anomalib into {VENV.name}")
    make = [sys.executable, "-m", "venv", str(VENV)]
    fill = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    for words in (make, fill):
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=dict(os.environ))
        if done.returncode:
            raise TrialsightError(
                f"anomalib can't be installed: {done.stderr.strip().splitlines()[-1]}",
                "connect to a package index, or leave it out with --without-rival",
            )
    stamp.write_text(wanted, encoding="utf-8")
