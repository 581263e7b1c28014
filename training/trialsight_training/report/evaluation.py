"""One model on one image set, as a page."""

from collections.abc import Sequence

from trialsight.card import Card
from trialsight.verdict import Verdict
from trialsight_datasets.sample import ImageSet
from trialsight_training.doubts import Doubt
from trialsight_training.evaluate import Evaluation, Judged
from trialsight_training.report.charts import image_charts, pixel_charts, score_chart
from trialsight_training.report.page import render
from trialsight_training.report.pictures import Picture, picture

WORST = 8
TILES = (
    ("image_auroc", "image AUROC"),
    ("image_ap", "image AP"),
    ("image_f1", "image F1, best"),
    ("pixel_auroc", "pixel AUROC"),
    ("pixel_ap", "pixel AP"),
    ("aupro", "AUPRO to 0.3"),
    ("aupimo", "AUPIMO"),
)


def evaluation_report(
    title: str,
    card: Card,
    evaluation: Evaluation,
    image_set: ImageSet,
    dataset_sha256: str,
    doubtful: Sequence[Doubt] = (),
) -> str:
    """The page's HTML. `title` names the model; the set's frames must still lie where they were read."""
    judged = evaluation.judged
    good = [one for one in judged if one.sample.is_good]
    bad = [one for one in judged if not one.sample.is_good]
    return render(
        "evaluation.html",
        title=title,
        card=card,
        image_set=image_set,
        dataset_sha256=dataset_sha256,
        doubtful=doubtful,
        metrics=evaluation.metrics,
        tiles=[(label, evaluation.metrics.get(name)) for name, label in TILES],
        classes=evaluation.classes,
        named=_named(card, evaluation),
        verdicts=list(Verdict),
        confusion=[
            (label, [sum(one.verdict is v for one in kind) for v in Verdict])
            for label, kind in (("good", good), ("defective", bad))
        ],
        chart=score_chart(_scores(good), _scores(bad), card.calibration_scores, card.thresholds),
        charts=image_charts([not one.sample.is_good for one in judged], [one.rank for one in judged])
        + pixel_charts(evaluation.curves),
        galleries=[
            ("Defective parts of lowest score", _pictures(sorted(bad, key=lambda one: one.rank), card)),
            ("Good parts of highest score", _pictures(sorted(good, key=lambda one: -one.rank), card)),
        ],
    )


def _named(card: Card, evaluation: Evaluation) -> list[tuple[str, list[int]]]:
    """Label to how many of its regions were given each of the card's classes, and lastly none."""
    if card.judging.naming is None:
        return []
    names: list[str | None] = [*card.judging.naming.classes, None]
    return [(one.label, [one.regions.get(name, 0) for name in names]) for one in evaluation.classes if one.regions]


def _scores(judged: Sequence[Judged]) -> list[float]:
    return [one.score for one in judged if one.score is not None]


def _pictures(judged: Sequence[Judged], card: Card) -> list[Picture]:
    return [picture([(one, card.thresholds)]) for one in judged[:WORST]]
