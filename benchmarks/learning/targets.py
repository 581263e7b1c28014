"""What the learning benchmark should show, and whether it does."""

from collections.abc import Sequence
from statistics import mean

from benchmarks.learning.contest import INT8, THEIRS, Contest
from benchmarks.measure.report import Target
from benchmarks.measure.timing import Ratio

BEST = {"casting": 0.97, "magnetic_tile": 0.92}
BEST_MS = 60


def learning_targets(found: Sequence[Contest], trunks: Ratio) -> list[Target]:
    """`trunks`: the shipped backbone's time over the ResNet-18 trunk's."""
    beside = [contest for contest in found if THEIRS in contest.entries]
    return [*_quality(beside), *_best(found), *_speed(beside), *_int8(found), *_shipped(found, trunks)]


def _quality(beside: Sequence[Contest]) -> list[Target]:
    if not beside:
        return []
    gains = {contest.name: contest.auroc("trunk") - contest.auroc(THEIRS) for contest in beside}
    worst = min(gains, key=lambda name: gains[name])
    average = mean(gains.values())
    targets = [
        Target(
            "image AUROC ≥ anomalib's − 0.005 on each set", f"{gains[worst]:+.3f} ({worst})", gains[worst] >= -0.005
        ),
        Target("image AUROC ≥ anomalib's + 0.01 in the mean", f"{average:+.3f}", average >= 0.01),
    ]
    overlaps = [
        ours - theirs
        for contest in beside
        if (ours := contest.entries["trunk"].metrics["aupro"]) is not None
        and (theirs := contest.entries[THEIRS].metrics["aupro"]) is not None
    ]
    if overlaps:
        targets.append(
            Target("AUPRO ≥ anomalib's + 0.03 in the mean", f"{mean(overlaps):+.3f}", mean(overlaps) >= 0.03)
        )
    return targets


def _best(found: Sequence[Contest]) -> list[Target]:
    targets = []
    for contest in found:
        if contest.name in BEST and "best" in contest.entries:
            auroc, frame_ms = contest.auroc("best"), contest.entries["best"].frame_ms
            targets.append(
                Target(
                    f"{contest.name} at its best size, image AUROC ≥ {BEST[contest.name]} within {BEST_MS} ms a frame",
                    f"{auroc:.3f}, {frame_ms:.0f} ms",
                    auroc >= BEST[contest.name] and frame_ms <= BEST_MS,
                )
            )
    return targets


def _speed(beside: Sequence[Contest]) -> list[Target]:
    targets = []
    for contest in beside:
        if contest.name == "casting":
            faster = {name: found.median for name, found in contest.fits.items()}
            said = ", ".join(f"{median:.1f}× {name}" for name, median in faster.items())
            holds = faster["plain"] >= 15 if faster else None  # theirs has no copies of the parts to learn from
            said = said or "their fit is of an earlier run"
            targets.append(Target("fits casting ≥ 15× faster from the same pictures", said, holds))
    if beside:
        worst = max((contest.frame("trunk", THEIRS) for contest in beside), key=lambda one: one.median)
        targets.append(Target("ONNX frame ≤ 0.6× theirs", f"{worst}× at worst", worst.median <= 0.6))
    return targets


def _int8(found: Sequence[Contest]) -> list[Target]:
    measured = [contest for contest in found if INT8 in contest.entries]
    if len(measured) < len(found):
        missing = ", ".join(contest.name for contest in found if contest not in measured)
        return [Target("INT8 passes its gate on every set", f"not on {missing}", False)]
    changes = {contest.name: contest.auroc(INT8) - contest.auroc("trunk") for contest in found}
    worst = max(changes, key=lambda name: abs(changes[name]))
    slowest = min((contest.frame_cpu("trunk", INT8) for contest in found), key=lambda one: one.median)
    return [
        Target("INT8: image AUROC within 0.01", f"{changes[worst]:+.3f} ({worst})", abs(changes[worst]) <= 0.01),
        Target("INT8: frame ≥ 1.5× faster (processor time)", f"{slowest}× at worst", slowest.median >= 1.5),
    ]


def _shipped(found: Sequence[Contest], trunks: Ratio) -> list[Target]:
    losses = {contest.name: contest.auroc("shipped") - contest.auroc("trunk") for contest in found}
    worst = min(losses, key=lambda name: losses[name])
    average = mean(losses.values())
    over_random = mean(contest.auroc("shipped") - contest.auroc("random") for contest in found)
    return [
        Target("shipped backbone: mean image AUROC ≥ the trunk's − 0.005", f"{average:+.3f}", average >= -0.005),
        Target(
            "shipped backbone: on no set worse by more than 0.02",
            f"{losses[worst]:+.3f} ({worst})",
            losses[worst] >= -0.02,
        ),
        Target("shipped backbone: far above random weights", f"{over_random:+.3f} in the mean", over_random >= 0.03),
        Target("shipped backbone: ≤ 1/4 of the trunk's time", f"{trunks}×", trunks.median <= 0.25),
    ]
