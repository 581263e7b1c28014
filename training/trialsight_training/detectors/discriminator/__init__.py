"""A head on frozen features that tells good from defective: SuperSimpleNet (Rolih et al., ICPR 2024)."""

from trialsight_training.detectors.discriminator.fit import learn
from trialsight_training.detectors.discriminator.model import Discriminator, Head

__all__ = ["Discriminator", "Head", "learn"]
