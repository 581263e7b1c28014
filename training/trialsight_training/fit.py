"""Good parts to a fitted detector and their held-out scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trialsight.health import HealthLimits, learn_limits
from trialsight.likeness import Likeness, learn_likeness
from trialsight.prepare import Preparer
from trialsight.recipe import Recipe
from trialsight_datasets.sample import Sample
from trialsight_training.backbones import create_backbone
from trialsight_training.calibrate import assign_folds
from trialsight_training.detectors.patch_memory import PatchMemory, Smoothing, embed, fit_patch_memory
from trialsight_training.frames import extract
from trialsight_training.progress import Progress


@dataclass(frozen=True)
class FittedDetector:
    """`model` is what will be exported. `scores`: each part's, by a memory without it. `description`: for people."""

    model: PatchMemory
    scores: tuple[float, ...]
    folds: int
    health: HealthLimits
    likeness: Likeness
    description: dict[str, object]


def fit(samples: Sequence[Sample], recipe: Recipe, preparer: Preparer, progress: Progress) -> FittedDetector:
    """`samples` are good parts. The same seed, samples and threads give the same detector."""
    spec = recipe.detector
    backbone = create_backbone(spec.backbone, spec.weights, spec.layers, recipe.seed)
    with progress.task("features", len(samples)) as step:
        seen = extract(backbone, samples, preparer, recipe.augment, recipe.seed, step)
    folds = assign_folds(len(samples), recipe.calibration.folds, recipe.seed)
    with progress.task("memory", spec.bank_size) as step:
        fitted = fit_patch_memory(seen.patches, folds, spec.bank_size, recipe.seed, step)
    smoothing = Smoothing(backbone.strides[0])
    scores = torch.empty(len(samples))
    with torch.no_grad(), progress.task("calibration", len(fitted.held_out)) as step:
        for fold, memory in enumerate(fitted.held_out):
            judge = PatchMemory(backbone, memory, smoothing).judge
            for index in (folds == fold).nonzero()[:, 0]:
                defect_map, score = judge(seen.features[index : index + 1])
                mask = _mask(recipe, preparer, defect_map)
                scores[index] = score[0] if mask is None else defect_map[0][mask].max()
            step()
    return FittedDetector(
        model=PatchMemory(backbone, fitted.memory, smoothing).eval(),
        scores=tuple(scores.tolist()),
        folds=len(fitted.held_out),
        health=learn_limits(seen.health),
        likeness=learn_likeness(embed(seen.features).numpy()),
        description={
            "name": spec.name,
            "backbone": backbone.name,
            "weights": spec.weights if spec.weights in ("random", "hub", "shipped") else "file",
            "layers": list(backbone.layers),
            "bank": fitted.memory.bank.shape[1],
            "features": sum(backbone.channels),
        },
    )


def _mask(recipe: Recipe, preparer: Preparer, defect_map: Tensor) -> Tensor | None:
    """Where defects count, as the inspector will have it: held-out scores must be taken there alone."""
    preparation = preparer.preparation
    if preparation.frame_width_px is None or preparation.frame_height_px is None:
        return None
    window = preparation.crop_px or (0, 0, preparation.frame_width_px, preparation.frame_height_px)
    mask = recipe.judging(None).mask((defect_map.shape[1], defect_map.shape[2]), window)
    return None if mask is None else torch.from_numpy(mask)
