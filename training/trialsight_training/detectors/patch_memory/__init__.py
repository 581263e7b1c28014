"""Nearest neighbours in a memory of good patches: PatchCore (Roth et al., CVPR 2022)."""

from trialsight_training.detectors.patch_memory.fit import fit_banks, learn
from trialsight_training.detectors.patch_memory.model import Memory, PatchMemory

__all__ = ["Memory", "PatchMemory", "fit_banks", "learn"]
