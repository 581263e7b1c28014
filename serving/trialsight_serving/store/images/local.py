"""Frames and maps in a folder.

Our own write and not obstore's: what is answered must be on the disk, and object_store's local file system
renames without fsync.
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from trialsight.files import sync_folder, write_atomic
from trialsight_serving.store.images import StoredFile, place_of

_NAME_LENGTH = 64
_LEVELS = (4, 2, 0)  # how many letters of its name lead to a file's folder, to the one above, and to the root


class LocalImages:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._durable: set[str] = set()  # folders that are there after a power cut, by how their files' names begin

    def path(self, sha256: str) -> Path:
        return self.root / place_of(sha256)

    def put(self, data: bytes, sha256: str) -> bool:
        path = self.path(sha256)
        fresh = not path.exists()
        if fresh:
            write_atomic(path, data)
        else:
            sync_folder(path.parent)  # whoever wrote it may be about to
        self._keep_folders(path)
        return fresh

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
        for path in self.root.glob("??/??/*"):
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

    def _keep_folders(self, path: Path) -> None:
        """A new folder is durable only once its parent is synced. After the file: what it made, its own sync has
        brought to the disk on most file systems, and asking once more costs little. Each once per process."""
        made = []
        for folder, length in zip(path.parents, _LEVELS, strict=False):
            if path.name[:length] in self._durable:  # then those above it are too
                break
            sync_folder(folder.parent)
            made.append(path.name[:length])
        self._durable.update(made)
