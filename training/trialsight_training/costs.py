"""Thresholds that cost least, where labelled defects show what each error does."""

from collections.abc import Sequence

import numpy as np

from trialsight.recipe import Costs


def cheapest(good: Sequence[float], defective: Sequence[float], costs: Costs, floor: float) -> tuple[float, float]:
    """t1 and t2 of least expected cost a part on the held-out scores; t2 at least `floor`, which a promise set.

    Cuts lie half way between two scores. Of equally cheap ones the lowest t1 and the highest t2 are taken: what is
    uncertain goes to a person.
    """
    scores = np.unique(np.concatenate([good, defective]))
    step = max(1e-6, float(scores[-1] - scores[0]) / 100)
    between = (scores[:-1] + scores[1:]) / 2
    t1 = np.unique(np.concatenate([[scores[0] - step], between, [scores[-1] + step, floor]]))
    t2 = t1[t1 >= floor]
    # Each term depends on one threshold alone: what passes below t1, what is reviewed up to t2, rejected above it.
    passes = [np.searchsorted(np.sort(kind), t1, "left") / len(kind) for kind in (good, defective)]
    reviewed = [np.searchsorted(np.sort(kind), t2, "right") / len(kind) for kind in (good, defective)]
    p = costs.defect_rate
    of_t1 = p * (costs.escape - costs.review) * passes[1] - (1 - p) * costs.review * passes[0]
    of_t2 = p * costs.review * reviewed[1] + (1 - p) * (costs.review * reviewed[0] + costs.overkill * (1 - reviewed[0]))
    total = np.where(t1[:, None] <= t2[None, :], of_t1[:, None] + of_t2[None, :], np.inf)
    best = np.argwhere(total <= total.min() + 1e-12)
    first = best[:, 0].min()
    return float(t1[first]), float(t2[best[best[:, 0] == first, 1].max()])


def expected_cost(good: Sequence[float], defective: Sequence[float], costs: Costs, t1: float, t2: float) -> float:
    """Cost a part where `costs.defect_rate` of them are defective."""
    of_good, of_bad = (
        float(np.where(s < t1, passing, np.where(s > t2, rejecting, costs.review)).mean())
        for s, passing, rejecting in (
            (np.asarray(good), 0.0, costs.overkill),
            (np.asarray(defective), costs.escape, 0.0),
        )
    )
    return (1 - costs.defect_rate) * of_good + costs.defect_rate * of_bad
