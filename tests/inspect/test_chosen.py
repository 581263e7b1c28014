"""Chosen thresholds hold to the letter for the graph they were chosen by, and in proportion for its other forms."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trialsight.card import Variant
from trialsight.chosen import Chosen, carry
from trialsight.files import sha256_of
from trialsight.package import load_package, write_card
from trialsight.recipe import Recipe, parse_recipe
from trialsight.verdict import Thresholds


def test_each_form_of_the_graph_keeps_its_own_scale(make_package: Callable[..., Path]) -> None:
    folder = make_package()
    (folder / "int8.onnx").write_bytes((folder / "model.onnx").read_bytes())
    card = load_package(folder).card
    t1, t2 = card.thresholds.t1, card.thresholds.t2
    own = Thresholds(t1 + 1, t2 + 1 + (t2 - t1), card.thresholds.region + 5)  # twice as wide, one higher
    file = folder / "int8.onnx"
    scores = tuple(frame.score for frame in card.golden)
    int8 = Variant("int8", file.name, sha256_of(file), file.stat().st_size, own, card.promise, scores)
    write_card(folder, replace(card, variants=(int8,)))
    fp32 = load_package(folder)
    quantised = fp32.as_variant("int8")

    chosen = Chosen(t1 + 0.25 * (t2 - t1), t2, "fp32")
    assert chosen.thresholds(fp32) == Thresholds(chosen.t1, chosen.t2, card.thresholds.region)
    moved = chosen.thresholds(quantised)
    assert (moved.t1, moved.t2) == pytest.approx((own.t1 + 0.25 * (own.t2 - own.t1), own.t2))
    assert moved.region == own.region

    by_int8 = Chosen(own.t1, own.t2, "int8")
    assert by_int8.thresholds(quantised) == own
    assert by_int8.thresholds(fp32) == card.thresholds


def test_thresholds_without_a_gap_between_them_are_shifted() -> None:
    assert carry(5, Thresholds(3, 3, 3), Thresholds(4, 6, 4)) == 8


@pytest.mark.parametrize("cuts", [(2, 1), (float("nan"), 1), (0, float("inf"))])
def test_what_can_not_be_a_pair_of_thresholds_is_refused(cuts: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="t1 <= t2 is needed"):
        Chosen(*cuts)


def test_a_recipe_without_chosen_thresholds_keeps_its_version_and_one_with_them_comes_back() -> None:
    plain = Recipe("bracket")
    assert "thresholds" not in plain.to_json()
    chosen = replace(plain, thresholds={"3": Chosen(1.5, 2.5, "int8", "less overkill")})
    assert parse_recipe(chosen.to_json()) == chosen
    assert chosen.content_hash() != plain.content_hash()
