"""What the shipped backbone knows of real photographs, where they are at hand: 22 biscuits to learn from."""

from pathlib import Path

import torch
from sklearn.metrics import roc_auc_score

from trialsight.recipe import Recipe
from trialsight_datasets import read_image_set
from trialsight_training.fit import fit
from trialsight_training.frames import prepared
from trialsight_training.geometry import preparer_for
from trialsight_training.progress import Progress


def test_broken_biscuits_score_above_whole_ones(shared: Path) -> None:
    cookie = read_image_set(shared / "data" / "cookie")
    recipe = Recipe(name="cookie")
    preparer = preparer_for(recipe, [(576, 768)], cookie.train, None)
    fitted = fit(cookie.train, recipe, preparer, Progress())
    with torch.no_grad():
        scores = [
            float(fitted.model(torch.from_numpy(pixels)[None])[1][0]) for pixels in prepared(cookie.test, preparer)
        ]
    assert roc_auc_score([not sample.is_good for sample in cookie.test], scores) >= 0.98
