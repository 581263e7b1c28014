"""Trunks that turn a frame into feature maps, all behind one interface."""

from trialsight_training.backbones.backbone import Backbone
from trialsight_training.backbones.create import create_backbone

__all__ = ["Backbone", "create_backbone"]
