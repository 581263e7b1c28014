"""Nearest neighbours in a memory of good patches: PatchCore (Roth et al., CVPR 2022)."""

from trialsight_training.detectors.patch_memory.fit import Fitted, fit_patch_memory
from trialsight_training.detectors.patch_memory.model import PatchMemory, Smoothing, embed

__all__ = ["Fitted", "PatchMemory", "Smoothing", "embed", "fit_patch_memory"]
