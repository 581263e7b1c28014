"""Good parts to a fitted detector and their held-out scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from trialsight.card import Preparation
from trialsight.recipe import Recipe
from trialsight_datasets.sample import Sample
from trialsight_training.backbones import create_backbone
from trialsight_training.calibrate import assign_folds
from trialsight_training.detectors.patch_memory import PatchMemory, Smoothing, fit_patch_memory
from trialsight_training.frames import extract
from trialsight_training.progress import Progress


@dataclass(frozen=True)
class FittedDetector:
    """`model` is what will be exported. `scores`: each part's, by a memory without it. `description`: for people."""

    model: PatchMemory
    scores: tuple[float, ...]
    folds: int
    description: dict[str, object]


def fit(samples: Sequence[Sample], recipe: Recipe, preparation: Preparation, progress: Progress) -> FittedDetector:
    """`samples` are good parts. The same seed, samples and threads give the same detector."""
    spec = recipe.detector
    backbone = create_backbone(spec.backbone, spec.weights, spec.layers, recipe.seed)
    with progress.task("features", len(samples)) as step:
        features = extract(backbone, samples, preparation, step)
    folds = assign_folds(len(samples), recipe.calibration.folds, recipe.seed)
    with progress.task("memory", spec.bank_size) as step:
        fitted = fit_patch_memory(features, folds, spec.bank_size, recipe.seed, step)
    smoothing = Smoothing(backbone.strides[0])
    scores = torch.empty(len(samples))
    with torch.no_grad(), progress.task("calibration", len(fitted.held_out)) as step:
        for fold, memory in enumerate(fitted.held_out):
            judge = PatchMemory(backbone, memory, smoothing).judge
            for index in (folds == fold).nonzero()[:, 0]:
                scores[index] = judge(features[index : index + 1])[1][0]
            step()
    return FittedDetector(
        model=PatchMemory(backbone, fitted.memory, smoothing).eval(),
        scores=tuple(scores.tolist()),
        folds=len(fitted.held_out),
        description={
            "name": spec.name,
            "backbone": backbone.name,
            "weights": spec.weights if spec.weights in ("random", "hub", "shipped") else "file",
            "layers": list(backbone.layers),
            "bank": fitted.memory.bank.shape[1],
            "features": sum(backbone.channels),
        },
    )
