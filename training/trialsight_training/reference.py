"""The golden picture that a recipe's frames are registered to."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from trialsight.geometry.register import FINE_SIDE
from trialsight.image import decode
from trialsight.recipe import Recipe
from trialsight_datasets.pixels import read_bytes
from trialsight_datasets.sample import Sample


def reference_picture(recipe: Recipe, train: Sequence[Sample]) -> bytes | None:
    """PNG bytes, no larger than registration looks at; None where the recipe doesn't register.

    The recipe's own reference, else the first good training part. Raises TrialsightError for one that can't be read.
    """
    registration = recipe.view.registration
    if registration is None:
        return None
    data, header = read_bytes(Path(registration.reference) if registration.reference else train[0].path)
    image = decode(data, header)
    factor = min(1.0, FINE_SIDE / max(image.shape[:2]))
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.imencode(".png", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]).tobytes()
