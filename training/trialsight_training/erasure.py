"""Whether an augmentation leaves nothing of defects: what it hides from the detector, it would teach to pass."""

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from trialsight.errors import TrialsightError
from trialsight.recipe import Augment
from trialsight_training.augment import moved
from trialsight_training.detectors.synthetic import VISIBLE, blemish

TRIES = 16
# A defect is gone where less than this share of it still shows; so many of the tries may lose theirs.
LEFT, MAY_GO = 0.5, 0.25
STILL = Augment(copies=1, rotation_deg=0, shift=0, brightness=0)

Frame = NDArray[np.uint8]


def check_augment(bounds: Augment, frames: Sequence[Frame], seed: int) -> None:
    """Pastes defects on good `frames` (H, W, 3) and varies them by each augmentation alone.

    Raises TrialsightError that names the one after which too many can't be told from the good part any more.
    """
    active = [one.name for one in fields(Augment) if one.name != "copies" and getattr(bounds, one.name)]
    if not bounds.copies or not active:
        return
    rng = np.random.default_rng(seed)
    pairs = []
    for index in range(TRIES):
        frame = frames[index % len(frames)]
        pairs.append((frame, *blemish(frame, frames[int(rng.integers(len(frames)))], rng)))
    for name in active:
        alone = replace(STILL, **{name: getattr(bounds, name)})
        gone = sum(_left(*pair, alone, index) < LEFT for index, pair in enumerate(pairs))
        if gone > MAY_GO * TRIES:
            raise TrialsightError(
                f"augment.{name} {_text(getattr(bounds, name))} erases {gone} of {TRIES} defects that were pasted on "
                "good parts to try it",
                "lower it in the recipe: what copies of parts hide, the model can't learn to find",
            )


def _left(frame: Frame, spoilt: Frame, mask: NDArray[np.bool_], alone: Augment, seed: int) -> float:
    """The share of the defect's pixels that keep half its contrast to the part without it, and more than noise has."""
    after = moved(spoilt, alone, np.random.default_rng(seed))
    # The same draw for both, so that only the defect differs; noise alone is another each time.
    other = seed + TRIES if alone.noise else seed
    difference = _contrast(after, moved(frame, alone, np.random.default_rng(other)))
    level = max(VISIBLE, float(np.median(_contrast(spoilt, frame)[mask]))) / 2
    if not alone.noise:
        return float((difference >= level).sum() / mask.sum())
    usual = np.quantile(difference[~mask], 0.95) if not mask.all() else 0
    return float((difference[mask] >= max(level, usual)).mean())


def _contrast(one: Frame, other: Frame) -> NDArray[np.int16]:
    return np.asarray(np.abs(one.astype(np.int16) - other).max(axis=2), np.int16)


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
