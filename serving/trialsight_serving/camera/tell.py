"""What the camera prints: a line a frame on stdout, everything else on stderr."""

import json
from collections import Counter
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from trialsight_serving.camera.agent import Shot

# A shape for each verdict, so that none rests on colour alone.
_LOOKS = {
    "pass": ("● pass", "green"),
    "review": ("▲ review", "yellow"),
    "reject": ("✖ reject", "bold red"),
    "no_verdict": ("? no verdict", "magenta"),
}


class Teller:
    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._out, self._err = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False)
        self._counts: Counter[str] = Counter()

    def shot(self, shot: Shot) -> None:
        self._counts[shot.verdict or "refused"] += 1
        if self._as_json:
            print(json.dumps(asdict(shot), ensure_ascii=False), flush=True)  # noqa: T201
            return
        text, style = _LOOKS.get(shot.verdict or "", ("! refused", "red"))
        score = "-" if shot.score is None else f"{shot.score:.4g}"
        line = Text.assemble(
            (f"{text:<13}", style), f" {score:>8} {shot.latency_ms:>7.1f} ms  {shot.part}", f"  ({shot.truth or '?'})"
        )
        self._out.print(line if shot.problem is None else line.append(f"  {shot.problem}"))

    def warn(self, what: str) -> None:
        self._err.print(what, style="yellow", soft_wrap=True)

    def retrying(self, why: str, seconds: float) -> None:
        self._err.print(f"{why}; again in {seconds:.1f} s", style="dim", soft_wrap=True)

    def end(self) -> None:
        told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(self._counts.items()))
        self._err.print(f"{sum(self._counts.values())} frames: {told or 'none'}", style="dim")
