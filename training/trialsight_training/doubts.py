"""Good parts that stand out: one that is labelled wrongly lifts T2 above the very defects that it should catch."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

# So many times as far above the median as the highest of all others. On four real sets of five none is (the most is
# 2.0); on the fifth one part of 22 is, at 7.4. A stain among twenty simulated good parts is, at some 20.
APART = 3.0
# No more than one part in so many: what more show is how good parts vary. Of fewer parts than that nothing is said.
ONE_IN = 10


@dataclass(frozen=True)
class Doubt:
    """A good part with its held-out score, and the highest score of those that don't stand out."""

    part: str
    score: float
    others: float


def doubts(scores: Sequence[float], parts: Sequence[str]) -> tuple[Doubt, ...]:
    """`scores`: held-out ones of good parts, of which `parts` names the last ones, the others not being in question.

    The highest score first.
    """
    if len(scores) < ONE_IN:
        return ()
    order = sorted(range(len(scores)), key=lambda place: scores[place], reverse=True)
    center = median(scores)
    apart = 0
    for count in range(1, len(scores) // ONE_IN + 1):
        if scores[order[count - 1]] - center > APART * (scores[order[count]] - center):
            apart = count
    unnamed = len(scores) - len(parts)
    others = scores[order[apart]]
    return tuple(Doubt(parts[place - unnamed], scores[place], others) for place in order[:apart] if place >= unnamed)
