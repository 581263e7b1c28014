"""Equal arrays gathered one by one: in memory, or in a file that the system pages in where they would fill it.

Tiles of large frames have gigabytes of features; learning looks at a share of them and calibration at one at a time.
"""

import math
import os
import tempfile

import numpy as np
import torch
from torch import Tensor

from trialsight.errors import TrialsightError

# What may lie in memory.
IN_MEMORY_BYTES = 1 << 30


class Store:
    """Room for `count` tensors of one shape, which the first one shows."""

    def __init__(self, count: int, in_memory_bytes: int = IN_MEMORY_BYTES) -> None:
        self._count, self._in_memory_bytes = count, in_memory_bytes
        self._all: Tensor | None = None
        self._filled = 0

    def add(self, one: Tensor) -> None:
        if self._all is None:
            self._all = _room((self._count, *one.shape), one.dtype, self._in_memory_bytes)
        self._all[self._filled] = one
        self._filled += 1

    def all(self) -> Tensor:
        """(count, …). Raises ValueError where some are missing."""
        if self._all is None or self._filled < self._count:
            raise ValueError(f"{self._filled} of {self._count} were added")
        return self._all


def _room(shape: tuple[int, ...], dtype: torch.dtype, in_memory_bytes: int) -> Tensor:
    needed = math.prod(shape) * dtype.itemsize
    if needed <= in_memory_bytes:
        return torch.empty(shape, dtype=dtype)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - without a name; it goes when the array does
    try:
        os.posix_fallocate(file.fileno(), 0, needed)
    except OSError as error:
        raise TrialsightError(
            f"{needed / 2**30:.1f} GB of features don't fit into {tempfile.gettempdir()}: {error.strerror}",
            "name a larger folder in TMPDIR, or lower input.size_px",
        ) from error
    kind = torch.empty(0, dtype=dtype).numpy().dtype
    return torch.from_numpy(np.memmap(file, dtype=kind, mode="r+", shape=shape))
