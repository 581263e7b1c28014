"""Charts as SVG text, to stand in a page."""

import io
from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from trialsight.verdict import Thresholds
from trialsight_training.metrics import MAX_FPR, Curve

GOOD, DEFECT, INK = "#2f7dbd", "#c8432b", "#17202a"
# Points of a curve that a reader can tell apart.
POINTS = 400


def score_chart(
    good: Sequence[float], defective: Sequence[float], calibration: Sequence[float], thresholds: Thresholds
) -> Markup:
    """Test scores by class as bars, calibration scores as ticks, t1 and t2 as lines."""

    def draw(axes: Axes) -> None:
        bins = np.histogram_bin_edges([*calibration, *good, *defective, thresholds.t2], bins=40)
        for scores, color, label in ((good, GOOD, "good"), (defective, DEFECT, "defective")):
            if scores:
                axes.hist(scores, bins=list(bins), color=color, alpha=0.6, label=f"{label} ({len(scores)})")
        if calibration:
            ticks = np.zeros(len(calibration))
            label = f"good, held out in training ({len(calibration)})"
            axes.plot(calibration, ticks, "|", color=INK, markersize=12, label=label)
        for value, name, style in ((thresholds.t1, "t1", "--"), (thresholds.t2, "t2", "-")):
            axes.axvline(value, color=INK, linestyle=style, linewidth=1, label=f"{name} = {value:.4g}")
        axes.set_xlabel("score")
        axes.set_ylabel("parts")
        axes.legend(fontsize=8, frameon=False)

    return _svg(draw, (10.8, 3.2))


def image_charts(defective: Sequence[bool], scores: Sequence[float]) -> list[Markup]:
    """ROC, and precision over recall, of whole parts. Empty where only one class is there."""
    if len(set(defective)) < 2:
        return []
    ranks = np.unique(np.asarray(scores), return_inverse=True)[1]
    fpr, tpr, _ = roc_curve(defective, ranks)
    precision, recall, _ = precision_recall_curve(defective, ranks)
    return [
        _line((fpr, tpr), "Parts: ROC", "good parts above the threshold", "defective parts above it"),
        _line(
            (recall, precision), "Parts: precision", "defective parts above the threshold", "of those above, defective"
        ),
    ]


def pixel_charts(curves: dict[str, Curve]) -> list[Markup]:
    if not curves:
        return []
    return [
        _line(curves["roc"], "Pixels: ROC", "good pixels above the threshold", "defective pixels above it"),
        _line(
            curves["precision"],
            "Pixels: precision",
            "defective pixels above the threshold",
            "of those above, defective",
        ),
        _line(
            curves["overlap"],
            "Regions: overlap",
            "good pixels above the threshold",
            "mean share of each defect",
            MAX_FPR,
        ),
    ]


def difference_chart(rows: Sequence[tuple[str, float, float, float]], margin: float | None) -> Markup:
    """`rows`: name, difference, its interval's low and high end; from top to bottom."""

    def draw(axes: Axes) -> None:
        places = np.arange(len(rows))[::-1]
        for place, (_, value, low, high) in zip(places, rows, strict=True):
            axes.plot([low, high], [place, place], color=GOOD, linewidth=2)
            axes.plot([value], [place], "o", color=GOOD)
        axes.axvline(0, color=INK, linewidth=1)
        if margin is not None:
            axes.axvline(-margin, color=DEFECT, linestyle="--", linewidth=1, label=f"margin -{margin:g}")
            axes.legend(fontsize=8, frameon=False)
        axes.set_yticks(places, [name for name, *_ in rows])
        axes.set_xlabel("B - A (above 0: B is better)")

    return _svg(draw, (8.4, 0.6 + 0.4 * len(rows)))


def _line(curve: Curve, title: str, x_label: str, y_label: str, most: float = 1.0) -> Markup:
    x, y = _thinned(*curve)

    def draw(axes: Axes) -> None:
        axes.plot(x, y, color=GOOD, linewidth=1.5)
        axes.set_xlim(0, most)
        axes.set_ylim(0, 1.02)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(x_label, fontsize=8)
        axes.set_ylabel(y_label, fontsize=8)
        axes.grid(alpha=0.25)

    return _svg(draw, (3.5, 3.0))


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> Curve:
    """POINTS points, spread evenly along the curve rather than along its 65,536 steps."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], POINTS)).clip(0, len(x) - 1))
    return x[kept], y[kept]


def _svg(draw: Callable[[Axes], None], size_in: tuple[float, float]) -> Markup:
    figure = Figure(figsize=size_in, layout="constrained")
    draw(figure.subplots())
    text = io.StringIO()
    # Text stays text, and the same numbers give the same bytes.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "trialsight", "font.size": 9}):
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    svg = text.getvalue()
    return Markup(svg[svg.index("<svg") :])  # noqa: S704 - our own drawing; labels are escaped by matplotlib
