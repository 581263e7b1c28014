"""The frames that a package carries to prove itself before it may give verdicts: two good ones, two defective ones."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from trialsight.card import GoldenFrame
from trialsight.files import sha256_of, write_atomic
from trialsight.image import check_header, decode
from trialsight.image.header import Limits
from trialsight.inspector import Inspector
from trialsight.verdict import Verdict
from trialsight_datasets.pixels import read_bytes
from trialsight_datasets.sample import Sample
from trialsight_training.evaluate import Judged, judge_bytes, judge_sample

OF_EACH = 2
SCAR = "synthetic-scar"
SOFTNESS = (0.0, 0.5, 1.0)  # of its edges, until the model takes it for a defect


def choose_golden(
    inspector: Inspector, judged: Sequence[Judged], train: Sequence[Sample], folder: Path
) -> tuple[GoldenFrame, ...]:
    """Write golden frames into `folder`; only frames that the model gets right are taken.

    Good ones come from the test split or, where it has none, from training. Defective ones are labelled test parts,
    of different classes where there are; without any, good parts that are given a scar that nobody could miss.
    """
    good = sorted((one for one in judged if _passes(one)), key=lambda one: one.rank)
    # The middle of the range: neither the easiest part nor one that the next library version might tip over.
    middle = good[len(good) // 2 :] + good[: len(good) // 2]
    good_frames = [(one, read_bytes(one.sample.path)[0]) for one in middle[:OF_EACH]]
    if len(good_frames) < OF_EACH:
        known = (judge_sample(inspector, sample) for sample in train)
        good_frames += [(one, read_bytes(one.sample.path)[0]) for one in known if _passes(one)][
            : OF_EACH - len(good_frames)
        ]
    bad_frames = [(one, read_bytes(one.sample.path)[0]) for one in _clearest_defects(judged)]
    if not any(not one.sample.is_good for one in judged):
        scarred = _scarred(inspector, train)
        bad_frames = [pair for pair, _ in zip(scarred, range(OF_EACH), strict=False)]
    return tuple(
        _write(folder, f"{kind}-{index}", one, data, verdict)
        for kind, verdict, frames in (
            ("good", Verdict.PASS, good_frames),
            ("defect", Verdict.REJECT, bad_frames),
        )
        for index, (one, data) in enumerate(frames, 1)
    )


def _passes(one: Judged) -> bool:
    return one.sample.is_good and one.verdict is Verdict.PASS


def _clearest_defects(judged: Sequence[Judged]) -> list[Judged]:
    """The rejected defects of highest score, from different classes as far as there are."""
    rejected = [one for one in judged if not one.sample.is_good and one.verdict is Verdict.REJECT]
    rejected.sort(key=lambda one: -one.rank)
    best = {one.sample.label: one for one in reversed(rejected)}
    first = sorted(best.values(), key=lambda one: -one.rank)
    return (first + [one for one in rejected if one not in first])[:OF_EACH]


def _scarred(inspector: Inspector, samples: Sequence[Sample]) -> Iterator[tuple[Judged, bytes]]:
    for sample in samples:
        scarred = replace(sample, label=SCAR, mask_path=None)
        for softness in SOFTNESS:
            data = scar(read_bytes(sample.path)[0], softness)
            one = judge_bytes(inspector, scarred, data)
            if one.verdict is Verdict.REJECT:
                yield one, data
                break


def scar(data: bytes, softness: float = 0.0) -> bytes:
    """The frame with a bright and a dark bar across its middle, in the format that it came in. `softness`: of the bars'
    edges, in units of their width: hard ones in a small frame can look like noise, which is no verdict."""
    header = check_header(data, Limits())
    image = decode(data, header)
    height, width = image.shape[:2]
    unit = max(2, round(min(height, width) / 32))
    whole = image.copy()
    bars = np.zeros((height, width), np.float32)
    for offset, color in ((0, (255, 255, 255)), (unit, (0, 0, 0))):
        start = (width // 2 - 4 * unit, height // 2 - 2 * unit + offset)
        end = (width // 2 + 4 * unit, height // 2 + 2 * unit + offset)
        cv2.line(image, start, end, color, unit)
        cv2.line(bars, start, end, 1.0, unit)
    if softness:
        share = cv2.GaussianBlur(bars, (0, 0), softness * unit)[..., None]
        blurred = cv2.GaussianBlur(image, (0, 0), softness * unit)
        image = np.asarray(whole * (1 - share) + blurred * share, np.uint8)
    suffix = ".jpg" if header.format == "jpeg" else ".png"
    encoded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    return np.asarray(encoded).tobytes()


def _write(folder: Path, stem: str, one: Judged, data: bytes, verdict: Verdict) -> GoldenFrame:
    assert one.score is not None  # a pass or a reject always has one
    header = check_header(data, Limits())
    path = folder / f"{stem}.{header.format}"
    write_atomic(path, data)
    return GoldenFrame(file=path.name, sha256=sha256_of(path), verdict=verdict, score=one.score)
