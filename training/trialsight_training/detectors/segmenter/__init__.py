"""A small U-Net on the frame itself, taught by labelled and by pasted defects."""

from trialsight_training.detectors.segmenter.fit import learn
from trialsight_training.detectors.segmenter.model import Segmenter, UNet

__all__ = ["Segmenter", "UNet", "learn"]
