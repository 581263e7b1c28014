"""Report pages: what they must say, and that nothing from a file name can act in them."""

from dataclasses import replace

import pytest

from trialsight.inspector import Inspector
from trialsight_datasets.sample import ImageSet
from trialsight_training.evaluate import evaluate_package
from trialsight_training.report import evaluation_report


@pytest.fixture
def page(bracket_set: ImageSet, make_package: "object") -> str:
    inspector = Inspector.load(make_package())  # type: ignore[operator]
    named = replace(bracket_set, test=tuple(replace(one, part="<script>x</script>") for one in bracket_set.test))
    evaluation = evaluate_package(inspector, named.test)
    return evaluation_report("<b>T</b>", inspector.card, evaluation, named, "a" * 64)


def test_the_page_shows_every_class_with_its_interval_and_every_curve(page: str, bracket_set: ImageSet) -> None:
    for label in {one.label for one in bracket_set.test}:
        assert f"<td>{label}</td>" in page
    for title in ("Parts: ROC", "Parts: precision", "Pixels: ROC", "Pixels: precision", "Regions: overlap"):
        assert page.count(title) == 1
    # Each of the eight test parts once: the frame and the map.
    assert page.count("data:image/jpeg") == 2 * len(bracket_set.test)


def test_names_of_parts_are_text(page: str) -> None:
    assert "<script>" not in page and "<b>T</b>" not in page
    assert "&lt;script&gt;" in page


def test_a_set_of_good_parts_alone_makes_a_page_without_curves(bracket_set: ImageSet, make_package: "object") -> None:
    inspector = Inspector.load(make_package())  # type: ignore[operator]
    good = replace(bracket_set, test=tuple(one for one in bracket_set.test if one.is_good))
    page = evaluation_report("good", inspector.card, evaluate_package(inspector, good.test), good, "a" * 64)
    assert "Curves" not in page and "Scores" in page
    nothing = replace(bracket_set, test=())
    page = evaluation_report("nothing", inspector.card, evaluate_package(inspector, ()), nothing, "a" * 64)
    assert "Verdicts" not in page
