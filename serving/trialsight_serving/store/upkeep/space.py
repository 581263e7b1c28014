"""Whether there is room for another frame, asked before one is read."""

import errno
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from trialsight_serving.store.images import ImageStore

_FRESH_S = 0.5
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_POSTGRES_DISK_FULL = "53100"


class Space:
    """Free bytes of the disks that frames are written to. `full` looks at most twice a second."""

    def __init__(
        self, images: ImageStore, home: Path, least_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._images, self._home, self._least, self._clock = images, home, least_bytes, clock
        self._looked_at = -_FRESH_S
        self._free = 0

    def free_bytes(self) -> int:
        """On the fullest disk, now."""
        known = (self._images.free_bytes(), shutil.disk_usage(self._home).free)
        return min(free for free in known if free is not None)

    def full(self) -> bool:
        """Better no frame is taken than one that can only be half stored."""
        if (now := self._clock()) - self._looked_at >= _FRESH_S:
            self._free, self._looked_at = self.free_bytes(), now
        return self._free < self._least


def is_full(error: Exception) -> bool:
    """Whether a file, SQLite or PostgreSQL found no room on its disk."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    if isinstance(error, DBAPIError):
        orig = error.orig
        code = getattr(orig, "sqlite_errorcode", None)
        return code == sqlite3.SQLITE_FULL or getattr(orig, "sqlstate", None) == _POSTGRES_DISK_FULL
    return False
