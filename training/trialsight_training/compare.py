"""Two models on the same parts: what differs, by how much, and how sure that is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from trialsight.errors import TrialsightError
from trialsight.verdict import Verdict
from trialsight_training.bootstrap import Difference, auroc, average_precision, mean_over, paired
from trialsight_training.evaluate import ClassResult, Evaluation, Judged

# Metrics that are shown without an interval: resampling whole maps would take longer than it tells.
POINTS = ("image_f1", "pixel_auroc", "pixel_ap", "aupro")


@dataclass(frozen=True)
class Changed:
    """Parts that only one of the models got wrong; `p_value` of McNemar's exact test that both err as often."""

    only_a: int
    only_b: int
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """`classes`: the same label of both. `transitions[kind][a][b]`: how many good or defective parts got which two.

    `false_rejects` and `escapes` say who errs where the other doesn't. `disagreements`: parts whose verdicts differ,
    by their place in the set, the gravest first.
    """

    a: Evaluation
    b: Evaluation
    differences: tuple[Difference, ...]
    classes: tuple[tuple[ClassResult, ClassResult], ...]
    transitions: dict[str, dict[str, dict[str, int]]]
    false_rejects: Changed
    escapes: Changed
    disagreements: tuple[int, ...]

    def keeps(self, margin: float) -> bool:
        """Whether B's image AUROC is sure to be no more than `margin` below A's (a non-inferiority test).

        Raises TrialsightError where the set can't tell.
        """
        found = next((one for one in self.differences if one.name == "image_auroc"), None)
        if found is None or found.low is None:
            raise TrialsightError(
                "a margin needs good and defective test parts, and the set lacks one of them",
                "compare on a set with both, or leave out --margin",
            )
        return found.low >= -margin

    def to_json(self) -> dict[str, Any]:
        return {
            "differences": [asdict(one) for one in self.differences],
            "classes": [{"a": a.to_json(), "b": b.to_json()} for a, b in self.classes],
            "transitions": self.transitions,
            "false_rejects": asdict(self.false_rejects),
            "escapes": asdict(self.escapes),
            "disagreements": [
                {
                    "part": one.sample.part,
                    "label": one.sample.label,
                    "a": {"verdict": one.verdict.value, "score": one.score},
                    "b": {"verdict": other.verdict.value, "score": other.score},
                }
                for one, other in ((self.a.judged[index], self.b.judged[index]) for index in self.disagreements)
            ],
        }


def compare(a: Evaluation, b: Evaluation) -> Comparison:
    """Both of the same samples in the same order."""
    pairs = list(zip(a.judged, b.judged, strict=True))
    return Comparison(
        a=a,
        b=b,
        differences=(*_sampled(a, b), *_points(a, b)),
        classes=tuple(zip(a.classes, b.classes, strict=True)),
        transitions={
            kind: _transitions([pair for pair in pairs if pair[0].sample.is_good is good])
            for kind, good in (("good", True), ("defective", False))
        },
        false_rejects=_changed([pair for pair in pairs if pair[0].sample.is_good], Verdict.REJECT),
        escapes=_changed([pair for pair in pairs if not pair[0].sample.is_good], Verdict.PASS),
        disagreements=_disagreements(pairs),
    )


def _sampled(a: Evaluation, b: Evaluation) -> list[Difference]:
    defective = np.array([not one.sample.is_good for one in a.judged])
    found = []
    if defective.any() and not defective.all():
        # By rank, since parts without a verdict have no finite score.
        ranks = [np.unique([one.rank for one in e.judged], return_inverse=True)[1].astype(float) for e in (a, b)]
        for name, statistic in (("image_auroc", auroc), ("image_ap", average_precision)):
            found.append(paired(name, statistic(ranks[0], defective), statistic(ranks[1], defective), defective))
    for name, verdict, chosen in (
        ("false_reject_rate", Verdict.REJECT, ~defective),
        ("escape_rate", Verdict.PASS, defective),
        ("review_rate", Verdict.REVIEW, np.ones_like(defective)),
    ):
        if chosen.any():
            wrong = [np.array([float(one.verdict is verdict) for one in e.judged]) for e in (a, b)]
            found.append(paired(name, mean_over(wrong[0], chosen), mean_over(wrong[1], chosen), defective))
    if both := sorted(a.overlaps.keys() & b.overlaps.keys()):
        chosen = np.isin(np.arange(len(defective)), both)
        overlaps = [np.array([e.overlaps.get(i, 0.0) for i in range(len(defective))]) for e in (a, b)]
        found.append(paired("aupimo", mean_over(overlaps[0], chosen), mean_over(overlaps[1], chosen), chosen))
    return found


def _points(a: Evaluation, b: Evaluation) -> list[Difference]:
    values = [(name, a.metrics[name], b.metrics[name]) for name in POINTS]
    return [Difference(name, x, y, y - x) for name, x, y in values if x is not None and y is not None]


def _transitions(pairs: Sequence[tuple[Judged, Judged]]) -> dict[str, dict[str, int]]:
    return {
        of_a.value: {of_b.value: sum(x.verdict is of_a and y.verdict is of_b for x, y in pairs) for of_b in Verdict}
        for of_a in Verdict
    }


def _changed(pairs: Sequence[tuple[Judged, Judged]], wrong: Verdict) -> Changed:
    only_a = sum(x.verdict is wrong and y.verdict is not wrong for x, y in pairs)
    only_b = sum(y.verdict is wrong and x.verdict is not wrong for x, y in pairs)
    p_value = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return Changed(only_a, only_b, p_value)


def _disagreements(pairs: Sequence[tuple[Judged, Judged]]) -> tuple[int, ...]:
    """Escapes of one model first, then false rejects, then the rest; within each, B's errors before A's."""

    def gravity(index: int) -> tuple[int, int]:
        x, y = pairs[index]
        wrong = Verdict.REJECT if x.sample.is_good else Verdict.PASS
        kind = 2 if wrong not in (x.verdict, y.verdict) else int(x.sample.is_good)
        return kind, int(y.verdict is not wrong)

    return tuple(sorted((i for i, (x, y) in enumerate(pairs) if x.verdict is not y.verdict), key=gravity))
