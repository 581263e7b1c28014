"""A finished package is given the variants that its recipe wants and that pass their gate."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from trialsight.card import Card, Variant
from trialsight.engines import EngineName, cores, installed_engines
from trialsight.errors import TrialsightError
from trialsight.files import sha256_of
from trialsight.inspector import Inspector
from trialsight.package import Package, write_card
from trialsight.prepare import Preparer
from trialsight.recipe import VariantName
from trialsight_datasets.sample import Sample
from trialsight_training.evaluate import Judged, judge_sample
from trialsight_training.frames import cut, prepare
from trialsight_training.variants.fp16 import halve
from trialsight_training.variants.gate import Shown, try_frames, weigh
from trialsight_training.variants.int8 import quantise

T = TypeVar("T")

# Frames that show enough: more only take longer.
CALIBRATION_FRAMES = 32
TRAIN_FRAMES = 30
TEST_FRAMES = 60


def add_variants(
    inspector: Inspector,
    wanted: Sequence[VariantName],
    train: Sequence[Sample],
    judged: Sequence[Judged],
    note: Callable[[str], None],
) -> Card:
    """Write the graphs into the package of `inspector` (fp32, complete) and rewrite its card.

    `train`: the good training parts in the order of the card's calibration scores. `judged`: test parts by the fp32
    graph. What isn't offered is noted with the reason.
    """
    package, card = inspector.package, inspector.card
    if not wanted:
        return card
    chosen = _evenly(range(len(train)), TRAIN_FRAMES)
    held_out = [card.calibration_scores[index] for index in chosen]
    known = [judge_sample(inspector, train[index]) for index in chosen]
    good, bad = ([one for one in judged if one.sample.is_good is kind] for kind in (True, False))
    test = [*_evenly(good, TEST_FRAMES // 2), *_evenly(bad, TEST_FRAMES // 2)]
    offered: list[Variant] = []
    for name in wanted:
        try:
            variant = _make(package, name, train)
            inspect = Inspector(_with(package, variant), threads=cores())
            shown = weigh(card, held_out, try_frames(inspect, known), try_frames(inspect, test))
            offered.append(_proven(variant, inspect, shown))
        except TrialsightError as error:
            (package.folder / f"{name}.onnx").unlink(missing_ok=True)
            note(f"variant {name} is not offered: {error}")
    card = replace(card, variants=tuple(offered))
    write_card(package.folder, card)
    return card


def _make(package: Package, name: VariantName, train: Sequence[Sample]) -> Variant:
    """The graph's file, with the fp32 graph's thresholds for now."""
    engine: EngineName | None = None
    precision: Literal["f32", "bf16"] = "f32"
    graph = package.folder / f"{name}.onnx"
    if name == "fp16":
        halve(package.graph, graph)
    elif name == "int8":
        preparer = Preparer(package.card.preparation, package.reference())
        frames = list(islice(_one_of_each(train, preparer), CALIBRATION_FRAMES))
        quantise(package.graph, frames, graph)
    else:
        if "openvino" not in installed_engines():
            raise TrialsightError("OpenVINO, which computes it, is not installed", "pip install 'trialsight[openvino]'")
        graph, engine, precision = package.graph, "openvino", "bf16"
    return Variant(
        name=name,
        file=graph.name,
        sha256=sha256_of(graph),
        bytes=graph.stat().st_size,
        thresholds=package.card.thresholds,
        promise=package.card.promise,
        golden_scores=tuple(frame.score for frame in package.card.golden),
        engine=engine,
        precision=precision,
    )


def _one_of_each(samples: Sequence[Sample], preparer: Preparer) -> Iterator[NDArray[np.uint8]]:
    """What the model sees of samples spread over all: of the n-th its n-th tile, then the following ones."""
    chosen = _evenly(samples, CALIBRATION_FRAMES)
    tiles = len(preparer.preparation.tiling or [None])
    for turn in range(min(tiles, -(-CALIBRATION_FRAMES // len(chosen)))):
        for index, sample in enumerate(chosen):
            yield cut(prepare(sample, preparer).pixels, preparer)[(index + turn) % tiles]


def _with(package: Package, variant: Variant) -> Package:
    return replace(package, card=package.card.as_variant(variant), variant=variant)


def _proven(variant: Variant, inspect: Inspector, shown: Shown) -> Variant:
    """With its own thresholds, metrics and golden scores. Raises TrialsightError where it fails its gate."""
    if shown.problem is not None:
        raise TrialsightError(shown.problem)
    scores = []
    for frame, data in zip(inspect.card.golden, inspect.package.golden_frames(), strict=True):
        seen = inspect(data, shown.thresholds)
        if seen.verdict is not frame.verdict or seen.score is None:
            raise TrialsightError(f"golden frame {frame.file} gets {seen.verdict}, not {frame.verdict}")
        scores.append(seen.score)
    return replace(variant, thresholds=shown.thresholds, metrics=shown.metrics, golden_scores=tuple(scores))


def _evenly(items: Sequence[T], most: int) -> list[T]:
    """At most so many, spread over all."""
    step = max(1.0, len(items) / most)
    return [items[int(index * step)] for index in range(min(len(items), most))]
