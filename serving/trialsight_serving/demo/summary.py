"""What the demo's frames add up to. Pure: rows in, totals and a verdict on the demo out."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trialsight.verdict import Verdict


@dataclass(frozen=True)
class DemoFrame:
    """One inspected frame. `truth` is `good` or the defect's name; `latency_ms` from sending to answer."""

    part: str
    truth: str
    verdict: str
    score: float | None
    latency_ms: float


@dataclass(frozen=True)
class Totals:
    """`false_rejects`: good parts rejected. `escapes`: defective parts passed. Latencies by nearest rank."""

    frames: int
    good: int
    defective: int
    false_rejects: int
    escapes: int
    reviews: int
    no_verdicts: int
    p50_ms: float
    p99_ms: float


def add_up(frames: Sequence[DemoFrame]) -> Totals:
    """Totals of at least one frame."""
    good = [frame for frame in frames if frame.truth == "good"]
    defective = [frame for frame in frames if frame.truth != "good"]
    latencies = sorted(frame.latency_ms for frame in frames)
    return Totals(
        frames=len(frames),
        good=len(good),
        defective=len(defective),
        false_rejects=sum(frame.verdict == Verdict.REJECT for frame in good),
        escapes=sum(frame.verdict == Verdict.PASS for frame in defective),
        reviews=sum(frame.verdict == Verdict.REVIEW for frame in frames),
        no_verdicts=sum(frame.verdict == Verdict.NO_VERDICT for frame in frames),
        p50_ms=_rank(latencies, 0.50),
        p99_ms=_rank(latencies, 0.99),
    )


def why_it_failed(totals: Totals, expected_frames: int) -> str | None:
    """The reason for which the job did not work, or None when it did."""
    if totals.frames < expected_frames:
        return f"only {totals.frames} of {expected_frames} frames were answered"
    if totals.no_verdicts:
        return f"{totals.no_verdicts} frames got no verdict"
    if totals.escapes:
        return f"{totals.escapes} of {totals.defective} defective parts passed"
    if totals.false_rejects > 1:
        return f"{totals.false_rejects} of {totals.good} good parts were rejected; at most 1 is expected"
    if not totals.good or not totals.defective:
        return "the camera sent only good or only defective parts"
    return None


def to_json(frames: Sequence[DemoFrame], totals: Totals, model: dict[str, Any], failure: str | None) -> dict[str, Any]:
    return {
        "ok": failure is None,
        "failure": failure,
        "model": model,
        "totals": asdict(totals),
        "frames": [asdict(frame) for frame in frames],
    }


def _rank(ordered: Sequence[float], share: float) -> float:
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 2)
