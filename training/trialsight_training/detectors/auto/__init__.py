"""The detectors that suit the data at hand, joined as far as it pays."""

from trialsight_training.detectors.auto.fit import learn
from trialsight_training.detectors.auto.model import Fusion

__all__ = ["Fusion", "learn"]
