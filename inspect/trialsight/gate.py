"""The gate: a model goes live only when its golden frames get the verdicts and scores that its card promises."""

from collections.abc import Sequence
from dataclasses import dataclass

from trialsight.card import GoldenFrame
from trialsight.errors import FrameError
from trialsight.inspector import Inspector
from trialsight.verdict import Verdict


@dataclass(frozen=True)
class GoldenResult:
    """`problem` is None where the frame got what the card expects."""

    file: str
    expected: Verdict
    expected_score: float
    verdict: Verdict
    score: float | None
    problem: str | None


@dataclass(frozen=True)
class GateReport:
    recipe: str
    results: tuple[GoldenResult, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def run_gate(inspector: Inspector) -> GateReport:
    """Inspect the package's golden frames. At least one must pass and one be rejected: a model that can only say
    one thing proves nothing."""
    card = inspector.card
    results = _results(inspector)
    problems = _problems(results)
    for verdict in (Verdict.PASS, Verdict.REJECT):
        if not any(golden.verdict is verdict for golden in card.golden):
            problems.append(f"no golden frame with the verdict {verdict}; the gate needs at least one")
    return GateReport(card.recipe, results, tuple(problems))


def golden_problems(inspector: Inspector) -> list[str]:
    """What is wrong with the golden frames' verdicts and scores, whatever frames the package has."""
    return _problems(_results(inspector))


def _results(inspector: Inspector) -> tuple[GoldenResult, ...]:
    frames = zip(inspector.card.golden, inspector.package.golden_frames(), strict=True)
    return tuple(_judge(inspector, golden, data) for golden, data in frames)


def _problems(results: Sequence[GoldenResult]) -> list[str]:
    return [f"golden frame {result.file}: {result.problem}" for result in results if result.problem is not None]


def _judge(inspector: Inspector, golden: GoldenFrame, data: bytes) -> GoldenResult:
    verdict, score, problem = Verdict.NO_VERDICT, None, None
    try:
        inspection = inspector(data)
    except FrameError as error:
        problem = str(error)
    else:
        verdict, score = inspection.verdict, inspection.score
        if verdict is not golden.verdict:
            problem = f"expected {golden.verdict}, got {verdict} (score {_text(score)}, was {golden.score:.4g})"
        elif score is None or abs(score - golden.score) > golden.tolerance * abs(golden.score):
            problem = f"score {_text(score)} is off {golden.score:.4g} by more than {golden.tolerance:.1%}"
    return GoldenResult(golden.file, golden.verdict, golden.score, verdict, score, problem)


def _text(score: float | None) -> str:
    return "none" if score is None else f"{score:.4g}"
