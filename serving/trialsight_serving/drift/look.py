"""One look: the newest frames against the reference, measure by measure, with the error of the whole look held."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trialsight_serving.drift.measures import MEASURES, Group, Values
from trialsight_serving.drift.sample import Sample
from trialsight_serving.drift.statistics import (
    holm,
    kolmogorov_smirnov,
    mann_whitney,
    more_often,
    stability_index,
)

LEAST = 20  # values on either side, below which nothing is said of a measure
UNSTABLE = 0.25  # of the stability index, by its authors' rule
FAR_SPREADS = 1.0  # how far along its own direction the look must move, in spreads of the reference
MORE_STRANGERS = 0.1  # by how much the share of frames that look like none of the reference must rise
MORE_OVERRULED = 0.15  # by how much the share of overruled verdicts must rise
STILL = 0.6  # of what matters: an alarm goes on until a measure is back below this


@dataclass(frozen=True)
class Finding:
    """`before`, `now`: medians, or shares of overruled verdicts. `effect`: the change in units of what matters, with
    its sign. `p`: of this test; `adjusted`: Holm's over the look. `outside`: share of the window's frames beyond what
    99 % of the reference showed; `shifted`: three quarters of the window lie on one side of the reference's median, and
    so all have moved. `sure`: no chance; `drifted`: sure, and large enough to matter."""

    measure: str
    group: Group
    before: float
    now: float
    effect: float
    p: float
    outside: float
    shifted: bool = False
    index: float | None = None
    adjusted: float = 1.0
    sure: bool = False
    drifted: bool = False

    def still(self, alpha: float) -> bool:
        """Whether a measure that had drifted has not come back."""
        return abs(self.effect) >= STILL and self.p < alpha


@dataclass(frozen=True)
class Overruled:
    """How many of how many decided verdicts people overruled: of the first after the model went live, and now."""

    before: tuple[int, int]
    now: tuple[int, int]


def look(
    reference: Sample, recent: Sample, window: int, alpha: float, people: Overruled | None = None
) -> list[Finding]:
    """What was found of each measure that both samples have; `alpha`: chance that a look at frames of one and the same
    kind finds any drift at all.

    Whether all frames have moved is told by the newest `window` of the `recent` ones; whether a share of them has, in
    look or score, by all, since a share takes more frames to be sure of.
    """
    newest = recent.newest(window)
    found = [
        finding
        for measure in MEASURES
        if (finding := _compare(measure.name, measure.group, *_pair(measure.of, reference, newest), measure.tolerance))
    ]
    parts = (_look_moved(reference, newest), _strangers(reference, recent), _score(reference, recent), _people(people))
    found += [one for one in parts if one]
    adjusted = holm([one.p for one in found]) if found else np.empty(0)
    return [
        replace(one, adjusted=float(p), sure=bool(p < alpha), drifted=bool(p < alpha and abs(one.effect) >= 1))
        for one, p in zip(found, adjusted, strict=True)
    ]


def _compare(name: str, group: Group, before: Values, now: Values, tolerance: float) -> Finding | None:
    if min(len(before), len(now)) < LEAST:
        return None
    medians = float(np.median(before)), float(np.median(now))
    # Ranks are sharper for a small move of all frames, the distribution for a large one of some; twice the smaller of
    # the two p-values is one again.
    p = min(1.0, 2 * min(mann_whitney(before, now)[1], kolmogorov_smirnov(before, now)[1]))
    effect = (medians[1] - medians[0]) / tolerance
    return Finding(name, group, *medians, effect, p, _outside(before, now), _shifted(before, now))


def _look_moved(reference: Sample, window: Sample) -> Finding | None:
    """The model's embeddings: whether all have moved along the direction in which they seem to have."""
    if (found := _along(reference, window)) is None:
        return None
    _, usual, newest = found
    return _compare("look", Group.LOOK, usual, newest, FAR_SPREADS * max(_spread(usual), 1e-9))


def _strangers(reference: Sample, recent: Sample) -> Finding | None:
    """Whether there are more frames than before that look like none of the reference: beyond what 99 % of it showed."""
    if (found := _along(reference, recent)) is None:
        return None
    learned, usual, newest = found
    limit = float(np.quantile(learned, 0.99))
    counts = (int((usual > limit).sum()), len(usual)), (int((newest > limit).sum()), len(newest))
    shares = counts[0][0] / counts[0][1], counts[1][0] / counts[1][1]
    effect = (shares[1] - shares[0]) / MORE_STRANGERS
    return Finding("strangers", Group.LOOK, *shares, effect, more_often(*counts), shares[1])


def _along(reference: Sample, recent: Sample) -> tuple[Values, Values, Values] | None:
    """Embeddings along the direction in which their mean has moved: of the reference's half that told the direction, of
    its other half, and of the recent ones' other half.

    That direction is told by one half of the frames and tested on the other, so that the test is as honest as one of
    a single number (sample splitting; Cox 1975). Half of the frames come to lie on either side in turn.
    """
    before, now = _known(reference.embeddings), _known(recent.embeddings)
    if min(len(before), len(now)) < 2 * LEAST:
        return None
    direction = now[::2].mean(axis=0) - before[::2].mean(axis=0)
    length = float(np.linalg.norm(direction))
    if length == 0:
        return None
    unit = direction / length
    learned, usual, newest = (np.asarray(rows @ unit, np.float64) for rows in (before[::2], before[1::2], now[1::2]))
    return learned, usual, newest


def _score(reference: Sample, recent: Sample) -> Finding | None:
    before, now = _finite(reference.score), _finite(recent.score)
    if min(len(before), len(now)) < LEAST:
        return None
    _, p = kolmogorov_smirnov(before, now)
    index = stability_index(before, now)
    medians = float(np.median(before)), float(np.median(now))
    sign = 1.0 if medians[1] >= medians[0] else -1.0
    return Finding(
        "score", Group.SCORE, *medians, sign * index / UNSTABLE, p, _outside(before, now), _shifted(before, now), index
    )


def _people(people: Overruled | None) -> Finding | None:
    if people is None or min(people.before[1], people.now[1]) < LEAST:
        return None
    before, now = people.before[0] / people.before[1], people.now[0] / people.now[1]
    effect = (now - before) / MORE_OVERRULED
    return Finding("overruled", Group.PEOPLE, before, now, effect, more_often(people.before, people.now), now)


def _pair(of: Callable[[Mapping[str, Values]], Values], reference: Sample, window: Sample) -> tuple[Values, Values]:
    return _finite(of(reference.signals)), _finite(of(window.signals))


def _outside(before: Values, now: Values) -> float:
    low, high = np.quantile(before, (0.005, 0.995))
    return float(((now < low) | (now > high)).mean())


def _shifted(before: Values, now: Values) -> bool:
    low, high = np.quantile(now, (0.25, 0.75))
    return not low <= np.median(before) <= high


def _spread(values: Values) -> float:
    """Standard deviation by quartiles, which a few strange frames do not move."""
    low, high = np.quantile(values, (0.25, 0.75))
    return float(high - low) / 1.349


def _finite(values: Values) -> Values:
    return values[np.isfinite(values)]


def _known(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    return embeddings[np.isfinite(embeddings).all(axis=1)] if embeddings.shape[1] else embeddings[:0]
