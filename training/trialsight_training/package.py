"""A fitted detector to a model package on disk: graph, card, golden frames."""

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np

from trialsight.card import Card, Promise, Provenance
from trialsight.files import sha256_of, write_atomic
from trialsight.inspector import Inspector
from trialsight.package import GOLDEN, GRAPH, RECIPE, REFERENCE, write_card
from trialsight.prepare import Preparer
from trialsight.recipe import Recipe
from trialsight.verdict import Thresholds
from trialsight_datasets.sample import Sample
from trialsight_training.evaluate import Evaluation
from trialsight_training.export import OPSET, check_parity, export_onnx
from trialsight_training.fit import FittedDetector
from trialsight_training.frames import prepared
from trialsight_training.golden import choose_golden
from trialsight_training.naming import with_naming
from trialsight_training.outline import with_outline

PARITY_FRAMES = 3
LIBRARIES = ("torch", "torchvision", "onnx", "onnxruntime", "opencv-python-headless", "numpy", "trialsight")


def write_package(
    folder: Path,
    fitted: FittedDetector,
    recipe: Recipe,
    preparer: Preparer,
    reference: bytes | None,
    calibrated: tuple[Thresholds, Promise],
    train: Sequence[Sample],
    provenance: Provenance,
) -> Inspector:
    """Export, check parity on real frames, write the card: a package that runs, without metrics and golden frames yet.

    Raises TrialsightError where the exported graph differs from the model.
    """
    folder.mkdir(parents=True)
    graph = folder / GRAPH
    preparation = preparer.preparation
    export_onnx(fitted.model, preparation.graph_size_px, graph)
    check_parity(fitted.model, graph, np.stack(list(islice(prepared(train, preparer), PARITY_FRAMES))))
    if reference is not None:
        write_atomic(folder / REFERENCE, reference)
    write_atomic(folder / RECIPE, _beside_reference(recipe).to_yaml().encode())
    thresholds, promise = calibrated
    good, defective = fitted.state.good, fitted.state.defective
    morphology = with_outline(recipe.morphology, fitted.defect_maps, defective.masks, thresholds.region)
    judging = replace(recipe.judging(fitted.health, fitted.likeness), morphology=morphology)
    parts = (good, fitted.good_maps), (defective, fitted.defect_maps)
    card = Card(
        recipe=recipe.name,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        graph_sha256=sha256_of(graph),
        opset=OPSET,
        detector=fitted.description,
        preparation=preparation,
        thresholds=thresholds,
        promise=promise,
        calibration_scores=fitted.scores,
        metrics={},
        golden=(),
        provenance=provenance,
        product=recipe.product,
        variant=recipe.variant,
        deadline_ms=recipe.deadline_ms,
        judging=with_naming(judging, fitted.named, *parts, thresholds.region),
    )
    write_card(folder, card)
    return Inspector.load(folder, threads=2)


def complete_package(inspector: Inspector, evaluation: Evaluation, train: Sequence[Sample]) -> Card:
    """Add the metrics and the golden frames, and rewrite the card."""
    folder = inspector.package.folder
    golden = choose_golden(inspector, evaluation.judged, train, folder / GOLDEN)
    card = replace(inspector.card, metrics=evaluation.metrics, golden=golden)
    write_card(folder, card)
    return card


def _beside_reference(recipe: Recipe) -> Recipe:
    """The recipe as it lies in the package: a reference that was a file is now the package's own."""
    registration = recipe.view.registration
    if registration is None or registration.reference is None:
        return recipe
    return replace(recipe, view=replace(recipe.view, registration=replace(registration, reference=REFERENCE)))


def library_versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}


def git_commit() -> str | None:
    """The commit of the code that trains, None where it isn't a checkout."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
