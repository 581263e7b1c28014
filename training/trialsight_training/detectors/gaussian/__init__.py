"""A Gaussian of good features at each place: PaDiM (Defard et al., ICPR 2020)."""

from trialsight_training.detectors.gaussian.fit import learn
from trialsight_training.detectors.gaussian.model import Gaussian, Spread

__all__ = ["Gaussian", "Spread", "learn"]
