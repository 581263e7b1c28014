"""A set of real good parts with defects that nobody has made yet: to prove a recipe before the first bad part."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trialsight import TrialsightError
from trialsight.files import move_folder, remove_folder
from trialsight_datasets.drawn import mask_png
from trialsight_datasets.pixels import load_image, load_mask
from trialsight_datasets.read import read_image_set
from trialsight_datasets.sample import GOOD, ImageSet, Sample
from trialsight_datasets.simulate.donor import transplant
from trialsight_datasets.simulate.photo import PHOTO_KINDS, paint_on
from trialsight_datasets.write import Target, save_image

TRIES = 8


@dataclass(frozen=True)
class Pasting:
    """`each`: defective pictures of each kind. `severity`: lowest and highest of what is painted. `held_out`: share of
    the good parts that are kept for testing where the set has none there; defects are laid on those alone."""

    kinds: tuple[str, ...] = PHOTO_KINDS
    each: int = 10
    severity: tuple[float, float] = (0.3, 0.9)
    seed: int = 0
    held_out: float = 0.25

    def __post_init__(self) -> None:
        if self.each < 1 or not 0 <= self.severity[0] <= self.severity[1] <= 1 or self.seed < 0:
            raise TrialsightError("each must be 1 or more, severity in 0..1 and rising, seed 0 or more")


def write_pasted(
    good: ImageSet, out: Path, plan: Pasting, examples: ImageSet | None = None, step: Callable[[], None] = lambda: None
) -> ImageSet:
    """In the MVTec layout: the set's good parts byte for byte, and defective pictures as PNG with exact masks.

    `examples`: a set whose labelled defects are laid in as well, by their own names. Raises TrialsightError where
    `out` exists, or there is nothing to work with.
    """
    out = out.expanduser().resolve()
    if out.exists():
        raise TrialsightError(f"{out} exists already", "name a folder that doesn't")
    train, test = _split(good, plan)
    donors = _donors(examples)
    unfinished = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        target = Target(unfinished)
        for split, samples in (("train", train), ("test", test)):
            for sample in samples:
                save_image(sample, unfinished / split / GOOD / f"{target.stem(sample)}{sample.path.suffix}")
                step()
        for kind in (*plan.kinds, *donors):
            for number in range(plan.each):
                picture, mask = _picture(test, kind, number, plan, donors.get(kind, ()))
                _write(unfinished / "test" / kind / f"{number:03d}.png", _png(picture))
                _write(unfinished / "ground_truth" / kind / f"{number:03d}_mask.png", mask_png(mask))
                step()
        move_folder(unfinished, out)
    except OSError as error:
        raise TrialsightError(f"{out} can't be written: {error.strerror}") from error
    finally:
        remove_folder(unfinished)
    return read_image_set(out)


def total(good: ImageSet, plan: Pasting, examples: ImageSet | None) -> int:
    """How many pictures there will be."""
    train, test = _split(good, plan)
    return len(train) + len(test) + plan.each * (len(plan.kinds) + len(_donors(examples)))


def _picture(
    good: Sequence[Sample], kind: str, number: int, plan: Pasting, donors: Sequence[Sample]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Drawn by its own lot, so that no picture depends on another. A defect that nothing shows of is drawn again."""
    problem = TrialsightError(f"no {kind} could be laid on a good part", "take other examples or pictures")
    for again in range(TRIES):
        rng = np.random.Generator(np.random.SFC64([plan.seed, number, again, *kind.encode()]))
        photo = load_image(good[int(rng.integers(len(good)))].path)
        try:
            if not donors:
                picture, mask = paint_on(photo, kind, rng, float(rng.uniform(*plan.severity)))
            else:
                donor = donors[int(rng.integers(len(donors)))]
                marks = load_mask(donor)
                assert marks is not None
                picture, mask = transplant(photo, load_image(donor.path), marks, rng)
        except TrialsightError as error:
            problem = error
            continue
        if mask.sum() >= 12:
            return picture, mask
    raise problem


def _split(good: ImageSet, plan: Pasting) -> tuple[list[Sample], list[Sample]]:
    """Good parts to learn from, and others to test on, which carry the defects."""
    train = [sample for sample in good.train if sample.is_good]
    test = [sample for sample in good.test if sample.is_good]
    if not test:
        count = max(1, round(plan.held_out * len(train)))
        train, test = train[:-count], train[-count:]
    if not train or not test:
        raise TrialsightError(f"{good.root} has too few good parts", "two at least: one to learn from, one for defects")
    return train, test


def _donors(examples: ImageSet | None) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for sample in examples or ():
        if not sample.is_good and sample.has_mask:
            found.setdefault(sample.label, []).append(sample)
    if examples is not None and not found:
        raise TrialsightError(f"{examples.root} has no defective part with a mask", "draw masks, or leave it out")
    return found


def _png(picture: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
