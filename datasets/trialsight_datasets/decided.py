"""A set version and what people decided since: the next version. The same decisions in any order give the same one."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from trialsight import TrialsightError
from trialsight.structure import structure
from trialsight_datasets.pixels import read_bytes
from trialsight_datasets.sample import TEST, TRAIN, ImageSet, Sample, Split

TEST_SHARE = 0.2


@dataclass(frozen=True)
class Decided:
    """One frame as people judge it now. `label`: `good` or the defect's class. Paths are of the image and the mask."""

    image: str
    part: str
    label: str
    view: str = "default"
    mask: str | None = None


def read_decided(path: Path) -> list[Decided]:
    """JSON lines, one frame each; relative paths start at the file's folder. Raises TrialsightError with the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TrialsightError(
            f"{path} can't be read: {error}", "give the file that the service's labels were written to"
        ) from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            one = structure(Decided, json.loads(line), "decision")
        except ValueError as error:  # json's own errors are ValueErrors
            raise TrialsightError(f"{path} line {number}: {error}", "write it again") from error
        mask = None if one.mask is None else str(path.parent / one.mask)
        found.append(replace(one, image=str(path.parent / one.image), mask=mask))
    return found


def with_decided(base: ImageSet, decided: Iterable[Decided], step: Callable[[], None] = lambda: None) -> ImageSet:
    """`base` with each decided frame as people judge it: one that it holds is relabelled where it is, others come in.

    A part stays on the side of the split where it is; a new one goes by the hash of its name, a fifth of them to the
    test, so that no decision can move another part. Raises TrialsightError for an image that can't be read.
    """
    samples = {sample.entry().image: sample for sample in base}
    sides: dict[str, Split] = {sample.part: sample.split for sample in base}
    for one in sorted(decided, key=lambda one: (one.part, one.view, one.image)):
        data, _ = read_bytes(Path(one.image))
        known = samples.get(sha256 := hashlib.sha256(data).hexdigest())
        mask = None if one.mask is None or one.label == "good" else Path(one.mask)
        if known is None:
            split = sides.setdefault(one.part, side_of(one.part))
            samples[sha256] = Sample(Path(one.image), one.label, split, mask, one.part, one.view)
        else:
            drawn = known.drawn if mask is None and one.label == known.label else None
            kept = known.mask_path if mask is None and one.label == known.label else mask
            samples[sha256] = replace(known, label=one.label, mask_path=kept, drawn=drawn)
        step()
    train = tuple(sample for sample in samples.values() if sample.split == TRAIN)
    test = tuple(sample for sample in samples.values() if sample.split == TEST)
    return replace(base, train=train, test=test)


def side_of(part: str) -> Split:
    """The side of a part that no set holds yet, by its name alone."""
    share = int.from_bytes(hashlib.sha256(part.encode()).digest()[:8], "big") / 2**64
    return TEST if share < TEST_SHARE else TRAIN
