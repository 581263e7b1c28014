"""Labelled defects teach a small head the class of what a detector finds."""

from trialsight_training.naming.fit import FEWEST, Named, learn_classes
from trialsight_training.naming.floor import with_naming

__all__ = ["FEWEST", "Named", "learn_classes", "with_naming"]
