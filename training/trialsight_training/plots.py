"""Pictures for the run: the scores by class with the thresholds, and the cases that went worst."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trialsight.verdict import Thresholds
from trialsight_datasets.pixels import load_image, load_mask
from trialsight_training.evaluate import Judged

GOOD, DEFECT = "#2f7dbd", "#c8432b"
WORST = 8


def score_histogram(
    path: Path, calibration_scores: Sequence[float], judged: Sequence[Judged], thresholds: Thresholds
) -> None:
    """Calibration scores as ticks, test scores by class as bars, t1 and t2 as lines."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    good = [one.score for one in judged if one.sample.is_good and one.score is not None]
    bad = [one.score for one in judged if not one.sample.is_good and one.score is not None]
    bins = np.histogram_bin_edges([*calibration_scores, *good, *bad, thresholds.t2], bins=40)
    for scores, color, label in ((good, GOOD, "good, test"), (bad, DEFECT, "defective, test")):
        if scores:
            axes.hist(scores, bins=list(bins), color=color, alpha=0.6, label=f"{label} ({len(scores)})")
    axes.plot(
        calibration_scores,
        np.zeros(len(calibration_scores)),
        "|",
        color="black",
        markersize=14,
        label=f"good, held out ({len(calibration_scores)})",
    )
    for value, name, style in ((thresholds.t1, "t1", "--"), (thresholds.t2, "t2", "-")):
        axes.axvline(value, color="black", linestyle=style, label=f"{name} = {value:.3g}")
    axes.set_xlabel("score")
    axes.set_ylabel("parts")
    axes.legend()
    figure.savefig(path, dpi=110)


def worst_cases(path: Path, judged: Sequence[Judged], thresholds: Thresholds) -> None:
    """The good parts of highest score and the defective ones of lowest, with map, regions and true outline."""
    good = sorted((one for one in judged if one.sample.is_good), key=lambda one: -one.rank)
    bad = sorted((one for one in judged if not one.sample.is_good), key=lambda one: one.rank)
    rows = [row for row in (bad[: WORST // 2], good[: WORST // 2]) if row]
    figure = Figure(figsize=(3 * WORST // 2, 3.4 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), WORST // 2, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for line, row in zip(grid, rows, strict=True):
        for axes, one in zip(line, row, strict=False):
            _overlay(axes, one, thresholds)
    figure.savefig(path, dpi=90)


def _overlay(axes: Axes, one: Judged, thresholds: Thresholds) -> None:
    image = load_image(one.sample.path)
    extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
    axes.imshow(image)
    if one.defect_map is not None:
        top = max(thresholds.t2, float(one.defect_map.max()))
        axes.imshow(
            one.defect_map, cmap="inferno", alpha=0.45, vmin=0, vmax=top, extent=extent, interpolation="bilinear"
        )
    mask = load_mask(one.sample, one.frame_size_px)
    if mask is not None and mask.any():
        outlines = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
        for outline in outlines:
            axes.plot(*np.asarray(outline)[:, 0, :].T, color="cyan", linewidth=1)
    axes.set_title(f"{one.sample.label}: {one.verdict.value} {one.rank:.3g}\n{one.sample.part}", fontsize=7)
