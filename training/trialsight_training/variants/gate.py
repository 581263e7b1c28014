"""What a variant must show before it is offered: on the same frames, by the same door, beside the fp32 graph."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from trialsight.card import Card
from trialsight.inspector import Inspector
from trialsight.verdict import Thresholds, judge
from trialsight_training.evaluate import Judged, judge_sample
from trialsight_training.metrics import image_metrics

# Image AUROC that may be lost.
AUROC = 0.01
# How far good parts' scores may stray around their common shift, in units of the calibrated scores' spread.
NOISE = 0.25
# A shift below this share of the spread leaves the thresholds as they are.
SHIFT = 0.01


@dataclass(frozen=True)
class Tried:
    """One frame by the fp32 graph and by the variant."""

    before: Judged
    after: Judged

    @property
    def good(self) -> bool:
        return self.before.sample.is_good


@dataclass(frozen=True)
class Shown:
    """`problem` None: the variant is good. `thresholds` are its own."""

    thresholds: Thresholds
    metrics: dict[str, float | None]
    problem: str | None


def try_frames(variant: Inspector, before: Sequence[Judged]) -> list[Tried]:
    return [Tried(one, judge_sample(variant, one.sample)) for one in before]


def weigh(card: Card, held_out: Sequence[float], train: Sequence[Tried], test: Sequence[Tried]) -> Shown:
    """`train`: good training parts, `held_out` their calibration scores. `card`: of the fp32 graph.

    What a variant does to a good part's score is split into a shift that all share, which moves the thresholds along,
    and noise around it, which must be small against the calibrated spread, or the promise would no longer be kept.
    """
    spread = card.thresholds.t2 - median(card.calibration_scores)
    everything = [*train, *test]
    lost = next((one for one in everything if one.before.score is not None and one.after.score is None), None)
    if lost is not None:
        return Shown(card.thresholds, {}, f"it gives no verdict on {lost.before.sample.path.name}, where fp32 does")
    moved = [_moved(one) for one in everything if one.good and one.before.score is not None]
    shift = float(np.median(moved)) if moved else 0.0
    noise = float(np.quantile(np.abs(np.array(moved) - shift), 0.95)) if moved else 0.0
    if abs(shift) <= SHIFT * spread:
        thresholds = card.thresholds
    else:
        t = card.thresholds
        thresholds = replace(t, t1=t.t1 + shift, t2=t.t2 + shift, region=t.region + shift)
    auroc, before = (_auroc([one.after for one in test]), _auroc([one.before for one in test]))
    metrics = {
        "frames": float(len(everything)),
        "auroc_frames": float(len(test)),
        "image_auroc": auroc,
        "image_auroc_difference": None if auroc is None or before is None else auroc - before,
        "map_difference": max((_map_difference(one) for one in everything), default=0.0),
        "verdict_agreement": _agreement(everything, card.thresholds, thresholds),
        "good_score_shift": shift / max(spread, 1e-12),
        "good_score_noise": noise / max(spread, 1e-12),
    }
    return Shown(thresholds, metrics, _problem(card, thresholds, metrics, held_out, train))


def _problem(
    card: Card,
    thresholds: Thresholds,
    metrics: dict[str, float | None],
    held_out: Sequence[float],
    train: Sequence[Tried],
) -> str | None:
    difference, noise = metrics["image_auroc_difference"], metrics["good_score_noise"]
    if difference is not None and difference < -AUROC:
        return f"its image AUROC is {-difference:.3f} below fp32's, at most {AUROC} may be lost"
    if noise is not None and not noise <= NOISE:
        return f"scores of good parts stray by {noise:.0%} of the calibrated spread, at most {NOISE:.0%} is taken"
    pairs = [(score, _moved(one)) for score, one in zip(held_out, train, strict=True) if one.before.score is not None]
    rejected = sum(score + moved > thresholds.t2 for score, moved in pairs)
    allowed = sum(score > card.thresholds.t2 for score, _ in pairs) + 1
    if rejected > allowed:
        return f"{rejected} held-out good parts would be rejected, with fp32 {allowed - 1}: the promise can't be kept"
    return None


def _moved(one: Tried) -> float:
    assert one.before.score is not None
    assert one.after.score is not None
    return one.after.score - one.before.score


def _auroc(judged: Sequence[Judged]) -> float | None:
    return image_metrics([not one.sample.is_good for one in judged], [one.rank for one in judged])["image_auroc"]


def _map_difference(one: Tried) -> float:
    before, after = one.before.defect_map, one.after.defect_map
    if before is None or after is None:
        return 0.0
    return float(np.abs(after - before).max() / max(float(np.abs(before).max()), 1e-12))


def _agreement(tried: Sequence[Tried], before: Thresholds, after: Thresholds) -> float:
    """The share whose scores say the same, each by its own thresholds."""
    pairs = [(one.before.score, one.after.score) for one in tried]
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    same = sum(judge(a, before)[0] is judge(b, after)[0] for a, b in both)
    return (same + len(pairs) - len(both)) / max(len(pairs), 1)
