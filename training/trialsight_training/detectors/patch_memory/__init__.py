"""Nearest neighbours in a memory of good patches: PatchCore (Roth et al., CVPR 2022)."""

from trialsight_training.detectors.patch_memory.fit import Fitted, fit_patch_memory, learn
from trialsight_training.detectors.patch_memory.model import Memory, PatchMemory

__all__ = ["Fitted", "Memory", "PatchMemory", "fit_patch_memory", "learn"]
