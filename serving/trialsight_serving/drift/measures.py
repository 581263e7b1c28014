"""What is watched, what each measure speaks of, and how much of a change matters, however sure it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


class Group(StrEnum):
    LIGHT = "light"
    FOCUS = "focus"
    PLACE = "place"
    LOOK = "look"  # what the model sees, by its own features
    SCORE = "score"
    PEOPLE = "people"


@dataclass(frozen=True)
class Measure:
    """`of` takes a frame's signals, (N,) each, NaN where one is missing. `tolerance`: the change of the median that
    is the least to matter, in the measure's own unit."""

    name: str
    group: Group
    tolerance: float
    of: Callable[[Mapping[str, Values]], Values]


def _plain(name: str) -> Callable[[Mapping[str, Values]], Values]:
    return lambda signals: signals[name]


def _log(name: str) -> Callable[[Mapping[str, Values]], Values]:
    return lambda signals: np.log(np.maximum(signals[name], 1e-6))


# Brightness and sharpness as logarithms: 0.05 is 5 %. Contrast as a share of the brightness, so that a dimmer lamp
# does not change it, and haze on a lens does.
MEASURES = (
    Measure("brightness", Group.LIGHT, 0.04, _log("brightness")),
    Measure("exposure", Group.LIGHT, 0.03, lambda signals: signals["black"] + signals["white"]),
    Measure("warmth", Group.LIGHT, 0.03, _plain("warmth")),
    Measure(
        "contrast", Group.FOCUS, 0.06, lambda signals: signals["contrast"] / np.maximum(signals["brightness"], 1e-3)
    ),
    Measure("sharpness", Group.FOCUS, 0.12, _log("sharpness")),
    Measure("shift_x", Group.PLACE, 0.004, _plain("shift_x")),
    Measure("shift_y", Group.PLACE, 0.004, _plain("shift_y")),
    Measure("turn_deg", Group.PLACE, 0.6, _plain("turn_deg")),
)
SIGNALS = ("brightness", "contrast", "black", "white", "sharpness", "warmth", "shift_x", "shift_y", "turn_deg")
