"""What in a set deserves a second look: near-duplicates, frames out of focus or light, parts that look mislabelled.

Nothing here is certain, so nothing is refused. Every measure is held against the set's own spread, not against
a number from elsewhere: parts on a fixture differ by little, biscuits on a belt by a lot.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight.health import Health, measure
from trialsight_datasets.sample import Sample

SIDE = 64  # of the thumbnail by which pictures are compared
MEASURED_SIDE = 512
ODD = 8.0  # robust deviations from which something stands out; at 8 even heavy tails are rare
COPY_OF_USUAL, COPY_GRAY = 0.25, 3.0
NEARER = 0.5


class Kind(StrEnum):
    COPY = "near-duplicate"
    PICTURE = "picture"
    LABEL = "label"


@dataclass(frozen=True)
class Suspicion:
    """`other`: the sample that `sample` is held against, where there is one. `strength`: larger stands out more."""

    kind: Kind
    sample: Sample
    what: str
    strength: float
    other: Sample | None = None


@dataclass(frozen=True)
class Glance:
    """What is kept of a decoded image: `thumbnail` (SIDE, SIDE) float32 gray, and its health."""

    sample: Sample
    thumbnail: NDArray[np.float32]
    health: Health


# The least deviation that counts, in each measure's own unit: lamps flicker by some of it.
_FLOORS = {"brightness": 0.01, "contrast": 0.005, "black": 0.03, "white": 0.03, "sharpness": 0.1}
_WORDS = {
    ("brightness", False): "darker than the others",
    ("brightness", True): "brighter than the others",
    ("contrast", False): "flatter than the others",
    ("contrast", True): "harder in contrast than the others",
    ("black", True): "with more black than the others",
    ("white", True): "with more clipped white than the others",
    ("sharpness", False): "more blurred than the others",
    ("sharpness", True): "sharper or noisier than the others",
}


def glance(sample: Sample, image: NDArray[np.uint8]) -> Glance:
    """`image`: (H, W, 3) RGB."""
    factor = min(1.0, MEASURED_SIDE / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else image
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    thumbnail = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return Glance(sample, thumbnail.astype(np.float32), measure(np.asarray(small, np.uint8)))


def find_suspicions(glances: Sequence[Glance]) -> tuple[Suspicion, ...]:
    """The strongest of each kind first."""
    if len(glances) < 3:  # no spread to hold anything against
        return ()
    distances = _distances(np.stack([one.thumbnail.ravel() for one in glances]))
    found = [*_copies(glances, distances), *_pictures(glances), *_labels(glances, distances)]
    return tuple(sorted(found, key=lambda one: (list(Kind).index(one.kind), -one.strength)))


def _distances(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, n) root mean square differences in gray levels, infinite on the diagonal."""
    wide = rows.astype(np.float64)
    norms = (wide**2).sum(1)
    squares = norms[:, None] + norms[None] - 2 * wide @ wide.T
    distances = np.sqrt(np.maximum(squares, 0) / rows.shape[1])
    np.fill_diagonal(distances, np.inf)
    return np.asarray(distances, np.float64)


def _copies(glances: Sequence[Glance], distances: NDArray[np.float64]) -> list[Suspicion]:
    """Pairs on both sides of the split, or under two labels, that differ far less than neighbours usually do."""
    usual = float(np.median(distances.min(axis=1)))
    limit = min(COPY_OF_USUAL * usual, COPY_GRAY)
    found = []
    for first, second in np.argwhere(np.triu(distances < limit, 1)):
        one, other = glances[first].sample, glances[second].sample
        if (one.split, one.label) == (other.split, other.label):
            continue
        across = "the other split" if one.split != other.split else f"{one.label} and {other.label}"
        what = f"nearly the same picture as {other.path.name}, in {across}: one photograph, saved twice?"
        found.append(Suspicion(Kind.COPY, one, what, limit / max(float(distances[first, second]), 1e-6), other))
    return found


def _pictures(glances: Sequence[Glance]) -> list[Suspicion]:
    """The worst measure of each frame that stands out by one."""
    measures = {name: np.array([asdict(one.health)[name] for one in glances]) for name in _FLOORS}
    measures["sharpness"] = np.log(np.maximum(measures["sharpness"], 1e-6))
    scores = {name: _robust(values, _FLOORS[name]) for name, values in measures.items()}
    found = []
    for index, one in enumerate(glances):
        name, score = max(((name, float(values[index])) for name, values in scores.items()), key=lambda it: abs(it[1]))
        words = _WORDS.get((name, score > 0))
        if abs(score) > ODD and words is not None:
            found.append(Suspicion(Kind.PICTURE, one.sample, words, abs(score)))
    return found


def _labels(glances: Sequence[Glance], distances: NDArray[np.float64]) -> list[Suspicion]:
    """Good parts that no other good part resembles, or that resemble a defective one far more."""
    good = np.array([one.sample.is_good for one in glances])
    if good.sum() < 3:
        return []
    to_good = np.where(good[None], distances, np.inf).min(axis=1)
    bad = np.where(~good[None], distances, np.inf)
    odd = _robust(to_good[good], 0.1 * float(np.median(to_good[good])) + 1e-6)
    found = []
    for index, score in zip(np.flatnonzero(good).tolist(), odd, strict=True):
        sample, nearest = glances[index].sample, int(bad[index].argmin())
        if bad[index, nearest] < NEARER * to_good[index]:
            other = glances[nearest].sample
            what = f"labelled good, but looks most like {other.path.name}, labelled {other.label}"
            found.append(Suspicion(Kind.LABEL, sample, what, float(to_good[index] / bad[index, nearest]), other))
        elif score > ODD:
            found.append(Suspicion(Kind.LABEL, sample, "labelled good, but unlike every other good part", float(score)))
    return found


def _robust(values: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Deviations from the median in units of the scaled median absolute deviation (Hampel 1974), at least `floor`."""
    middle = np.median(values)
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return np.asarray((values - middle) / max(spread, floor), np.float64)
