"""Two models on one image set, as a page."""

from trialsight.card import Card
from trialsight.verdict import Verdict
from trialsight_datasets.sample import ImageSet
from trialsight_training.compare import Comparison
from trialsight_training.report.charts import difference_chart
from trialsight_training.report.page import render
from trialsight_training.report.pictures import picture

SHOWN = 24


def comparison_report(
    names: tuple[str, str], cards: tuple[Card, Card], found: Comparison, image_set: ImageSet, margin: float | None
) -> str:
    """The page's HTML. `names` and `cards` of A and B; the set's frames must still lie where they were read."""
    sampled = [
        (one.name.replace("_", " "), one.difference, one.low, one.high)
        for one in found.differences
        if one.low is not None and one.high is not None
    ]
    thresholds = [card.thresholds for card in cards]
    return render(
        "comparison.html",
        title=f"{names[0]} and {names[1]}",
        names=names,
        cards=cards,
        found=found,
        image_set=image_set,
        margin=margin,
        holds=None if margin is None else found.keeps(margin),
        verdicts=[verdict.value for verdict in Verdict],
        chart=difference_chart(sampled, margin),
        pictures=[
            picture([(found.a.judged[index], thresholds[0]), (found.b.judged[index], thresholds[1])])
            for index in found.disagreements[:SHOWN]
        ],
    )
