"""Packages that gave verdicts, as far as this machine holds them: their cards, and what a good part looks like."""

import json

from trialsight.card import Card
from trialsight.package import CARD, GOLDEN, REFERENCE
from trialsight.structure import structure
from trialsight.verdict import Verdict
from trialsight_serving.models.manager import ModelManager


def card_of(models: ModelManager, recipe: str, version: str) -> Card | None:
    """Of a model that is loaded, or lies in the home; None where it is gone."""
    for model in (models.live(recipe), models.challenger(recipe)):
        if model is not None and model.version == version:
            return model.card
    try:
        text = (models.registry.folder(recipe, version) / CARD).read_text(encoding="utf-8")
        return structure(Card, json.loads(text), "card")
    except (OSError, ValueError):
        return None


def reference_of(models: ModelManager, recipe: str, version: str) -> bytes | None:
    """The picture that frames are registered to, else the first golden frame that must pass; None without one."""
    card = card_of(models, recipe, version)
    if card is None:
        return None
    folder = models.registry.folder(recipe, version)
    names = [folder / REFERENCE] if card.preparation.registration is not None else []
    names += [folder / GOLDEN / frame.file for frame in card.golden if frame.verdict is Verdict.PASS]
    return next((name.read_bytes() for name in names if name.is_file()), None)
