"""A registry's aliases as they were when its files were last as they are now."""

import contextlib
import json
import time
from pathlib import Path

from trialsight.files import write_json_atomic

Aliases = dict[str, dict[str, str]]  # of recipes: alias to version
Stamp = list[list[int]]
_RACY_S = 2.0


class Remembered:
    """Kept on the disk too, so that a restart needs no MLflow, which takes longer to import than all the rest; the
    file may be deleted at any time. `store`: the registry's SQLite file, None where it is a server."""

    def __init__(self, store: Path | None, place: Path) -> None:
        self._store, self._place = store, place
        self._kept: tuple[Stamp, Aliases] | None = None

    def stamp(self) -> Stamp | None:
        """None where the files can't tell: a server's, or changed so lately that a second change may look the same."""
        if self._store is None:
            return None
        files = [self._store.with_name(self._store.name + suffix) for suffix in ("", "-wal", "-journal")]
        found = []
        for file in files:
            with contextlib.suppress(FileNotFoundError):  # SQLite takes its journal away when it likes
                found.append(file.stat())
        if any(time.time() - one.st_mtime < _RACY_S for one in found):
            return None
        return [[one.st_ino, one.st_mtime_ns, one.st_size] for one in found] or None

    def at(self, stamp: Stamp | None) -> Aliases | None:
        if stamp is None:
            return None
        if self._kept is None:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                kept = json.loads(self._place.read_bytes())
                self._kept = (kept["stamp"], kept["aliases"])
        return self._kept[1] if self._kept is not None and self._kept[0] == stamp else None

    def keep(self, stamp: Stamp | None, aliases: Aliases) -> None:
        if stamp is None:
            return
        self._kept = (stamp, aliases)
        with contextlib.suppress(OSError):  # without it, the next start is slower
            write_json_atomic(self._place, {"stamp": stamp, "aliases": aliases})
