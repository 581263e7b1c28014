"""Training parts to a fitted detector and the scores of parts that it didn't know."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trialsight.health import Health, HealthLimits, learn_limits
from trialsight.likeness import Likeness, learn_likeness
from trialsight.prepare import Preparer
from trialsight.recipe import Recipe
from trialsight.tiles import mean_direction
from trialsight_datasets.sample import Sample
from trialsight_training.backbones import Backbone, create_backbone
from trialsight_training.detectors.detector import Defective, Good, Lesson, Patches
from trialsight_training.detectors.graph import Detector, Layers, embed
from trialsight_training.detectors.pasted import with_pasted
from trialsight_training.detectors.table import DETECTORS
from trialsight_training.detectors.warm import knows
from trialsight_training.erasure import check_augment
from trialsight_training.frames import study_defective, study_good
from trialsight_training.naming import Named, learn_classes
from trialsight_training.progress import Progress
from trialsight_training.state import State, learned_as

# Good parts on which augmentations are tried before they are believed.
TRIED = 8


@dataclass(frozen=True)
class FittedDetector:
    """`model` is what will be exported. `scores`: each good part's, by a detector without it; `good_maps` (N, h, w).
    `defect_scores`, `defect_maps` (M, h, w): the same of the labelled defective parts. `named`: the classes that the
    model gives, None where too few parts are labelled. `description`: for people. `started`: whether another product's
    model was taken over."""

    model: Detector
    scores: tuple[float, ...]
    defect_scores: tuple[float, ...]
    folds: int
    health: HealthLimits
    likeness: Likeness
    description: dict[str, object]
    state: State
    good_maps: Tensor
    defect_maps: Tensor
    named: Named | None = None
    started: bool = False


def fit(
    samples: Sequence[Sample],
    recipe: Recipe,
    preparer: Preparer,
    progress: Progress,
    previous: State | None = None,
    pasted: bool = False,
    start: Mapping[str, Tensor] | None = None,
) -> FittedDetector:
    """`samples`: good parts and, where there are, labelled defective ones. The same seed, samples and threads give the
    same detector. `previous`: what an earlier fit by the same recipe and preparation left behind; `samples` are then
    what it doesn't know, and what comes out knows all. `pasted`: defects are pasted on good parts, so that
    `defect_scores` say something of a detector that learns from good parts alone. `start`: the detector's state in
    another product's model, to begin with where it can."""
    spec = recipe.detector
    backbone = create_backbone(spec.backbone, spec.weights, spec.layers, recipe.seed)
    with progress.task("features", len(samples)) as step:
        lot = _Lot(backbone, preparer, recipe, step)
        good = [sample for sample in samples if sample.is_good]
        defective = [sample for sample in samples if not sample.is_good]
        if previous is None:
            seen, health = lot.good(good)
            defects = lot.defective(defective, int(seen.folds.max()) + 1)
        else:
            seen, health, defects = _with_new(previous, good, defective, lot)
        check_augment(recipe.augment, [one.numpy() for one in seen.frames[:TRIED]], recipe.seed)
    folds = int(seen.folds.max()) + 1
    begun = previous.tensors if previous is not None else dict(start or {})
    before = begun if previous is not None or knows(begun, folds, backbone.channels) else {}
    lesson = Lesson(backbone, seen, defects, spec, recipe.augment, recipe.seed, before)
    if pasted:
        lesson = with_pasted(lesson, progress)
    tiles = len(preparer.preparation.tiling or [None])
    learned = DETECTORS[spec.name](lesson, progress)
    named = None if pasted else learn_classes(seen, defects, learned.defect_maps, recipe.seed, progress)
    if named is not None:
        learned.model.namer = named.namer
    return FittedDetector(
        model=learned.model,
        scores=_scores(learned.good_maps, recipe, preparer),
        defect_scores=_scores(learned.defect_maps, recipe, preparer),
        folds=folds,
        health=learn_limits(health),
        likeness=learn_likeness(_embeddings(seen, tiles)),
        description={
            "name": spec.name,
            "backbone": backbone.name,
            "weights": spec.weights if spec.weights in ("random", "hub", "shipped") else "file",
            "layers": list(backbone.layers),
            "features": sum(backbone.channels),
            **learned.description,
        },
        state=State(
            learned=({} if previous is None else previous.learned) | learned_as(samples),
            good=seen,
            health=health,
            defective=defects,
            tensors=learned.state,
        ),
        good_maps=learned.good_maps,
        defect_maps=learned.defect_maps,
        named=named,
        started=previous is None and bool(before),
    )


@dataclass(frozen=True)
class _Lot:
    """How parts are studied in one training."""

    backbone: Backbone
    preparer: Preparer
    recipe: Recipe
    step: Callable[[], None]

    def good(self, samples: Sequence[Sample]) -> tuple[Good, tuple[Health, ...]]:
        recipe = self.recipe
        folds = recipe.calibration.folds
        return study_good(self.backbone, samples, self.preparer, recipe.augment, folds, recipe.seed, self.step)

    def defective(self, samples: Sequence[Sample], folds: int) -> Defective:
        return study_defective(self.backbone, samples, self.preparer, folds, self.recipe.seed, self.step)


def _with_new(
    previous: State, good: Sequence[Sample], defective: Sequence[Sample], lot: _Lot
) -> tuple[Good, tuple[Health, ...], Defective]:
    """What the state knows with what it doesn't; the good parts' patches are those of the new ones alone."""
    old, folds = previous.good, int(previous.good.folds.max()) + 1
    health = previous.health
    nothing = tuple(Patches(torch.empty(0, one.shape[1]), torch.empty(0, dtype=torch.long)) for one in old.layers.maps)
    seen = replace(old, patches=nothing)
    if good:
        new, measured = lot.good(good)
        tiles = len(new.folds) // len(good)
        dealt = (len(old.folds) // tiles + torch.arange(len(good))) % folds
        seen = Good(
            torch.cat([old.frames, new.frames]),
            _both(old.layers, new.layers),
            tuple(Patches(one.points, one.parts + len(old.folds)) for one in new.patches),
            torch.cat([old.folds, dealt.repeat_interleave(tiles)]),
        )
        health += measured
    defects = previous.defective
    if defective:
        more = lot.defective(defective, folds)
        defects = more if not len(defects) else defects if not len(more) else _together(defects, more)
    return seen, health, defects


def _together(old: Defective, new: Defective) -> Defective:
    return Defective(
        torch.cat([old.frames, new.frames]),
        _both(old.layers, new.layers),
        old.masks + new.masks,
        old.labels + new.labels,
        torch.cat([old.folds, new.folds]),
    )


def _both(old: Layers, new: Layers) -> Layers:
    return Layers(tuple(torch.cat(pair) for pair in zip(old.maps, new.maps, strict=True)), old.joint)


def _scores(maps: Tensor, recipe: Recipe, preparer: Preparer) -> tuple[float, ...]:
    """Each part's maximum where defects count, as the inspector will have it; `maps` of its tiles where there are."""
    if not len(maps):
        return ()
    if (tiling := preparer.preparation.tiling) is not None:
        parts = [maps[start : start + len(tiling)].numpy() for start in range(0, len(maps), len(tiling))]
        maps = torch.from_numpy(np.stack([tiling.blend(part) for part in parts]))
    mask = _mask(recipe, preparer, (maps.shape[1], maps.shape[2]))
    return tuple((maps.flatten(1) if mask is None else maps[:, mask]).amax(1).tolist())


def _mask(recipe: Recipe, preparer: Preparer, map_shape: tuple[int, int]) -> Tensor | None:
    preparation = preparer.preparation
    if preparation.frame_width_px is None or preparation.frame_height_px is None:
        return None
    window = preparation.crop_px or (0, 0, preparation.frame_width_px, preparation.frame_height_px)
    mask = recipe.judging(None).mask(map_shape, window)
    return None if mask is None else torch.from_numpy(mask)


def _embeddings(good: Good, tiles: int) -> NDArray[np.float32]:
    """(N, C) a part, from what its `tiles` look like, which may lie on disk."""
    embeddings = torch.cat([embed(good.layers.of(part)) for part in range(len(good.frames))]).numpy()
    return np.stack([mean_direction(embeddings[start : start + tiles]) for start in range(0, len(embeddings), tiles)])
