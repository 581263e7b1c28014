"""Frames and maps in a folder.

Our own write and not obstore's: what is answered must be on the disk, and object_store's local file system
renames without fsync. 256 folders: with two levels of them, as once, nearly each new file came with a folder of its
own. What lies there is still found.
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from trialsight.files import sync_folder, write_atomic
from trialsight_serving.store.images import StoredFile

_NAME_LENGTH = 64


class LocalImages:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._durable: set[Path] = set()  # folders that are there after a power cut

    def path(self, sha256: str) -> Path:
        """Where it is, or would be."""
        return self._find(sha256)[0]

    def put(self, data: bytes, sha256: str) -> bool:
        path, is_there = self._find(sha256)
        if is_there:
            sync_folder(path.parent)  # whoever wrote it may be about to
        else:
            write_atomic(path, data)
        self._keep_folders(path)
        return not is_there

    def get(self, sha256: str) -> bytes:
        return self.path(sha256).read_bytes()

    def size(self, sha256: str) -> int | None:
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, sha256: str, before: datetime) -> int:
        path = self.path(sha256)
        try:
            found = path.stat()
            if found.st_mtime >= before.timestamp():
                return 0
            path.unlink()
        except FileNotFoundError:
            return 0
        return found.st_size

    def files(self) -> Iterator[StoredFile]:
        """Temporary files of a write that was cut off are not among them."""
        for folder in self.root.glob("??"):
            for entry in folder.iterdir():
                for path in entry.iterdir() if len(entry.name) == 2 else (entry,):
                    if len(path.name) != _NAME_LENGTH:
                        continue
                    try:
                        found = path.stat()
                    except FileNotFoundError:
                        continue
                    yield StoredFile(path.name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def free_bytes(self) -> int | None:
        """Of the disk that holds the folder, or will hold it."""
        folder = next(folder for folder in (self.root, *self.root.parents) if folder.is_dir())
        return shutil.disk_usage(folder).free

    def _find(self, sha256: str) -> tuple[Path, bool]:
        path = self.root / sha256[:2] / sha256
        if path.exists():
            return path, True
        older = path.parent / sha256[2:4] / sha256
        return (older, True) if older.exists() else (path, False)

    def _keep_folders(self, path: Path) -> None:
        """A new folder is durable only once its parent is synced. After the file: what it made, its own sync has
        brought to the disk on most file systems, and asking once more costs little. Each once per process."""
        made = []
        for folder in path.parents:
            if folder in self._durable:  # then those above it are too
                break
            sync_folder(folder.parent)
            made.append(folder)
            if folder == self.root:
                break
        self._durable.update(made)
