"""Frames and maps as files named by their content, so that a file never changes and is never stored twice.

Our own write and not obstore's: what is answered must be on the disk, and object_store's local file system
renames without fsync. A store on S3 will go through obstore, whose PUT is durable when it returns.
"""

import hashlib
from pathlib import Path

from trialsight.files import sync_folder, write_atomic


class ImageStore:
    """Content-addressed: `put` gives the sha256, `path` finds it again. Two levels of folders keep each small."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256[2:4] / sha256

    def put(self, data: bytes, sha256: str | None = None) -> str:
        """Durable when it returns. Raises OSError (a full disk, say) and leaves nothing behind."""
        sha256 = sha256 or hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if not path.exists():
            self._make_folder(path.parent)
            write_atomic(path, data)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Raises FileNotFoundError where it is gone."""
        return self.path(sha256).read_bytes()

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for made in missing:  # a new folder is durable only once its parent is synced
            sync_folder(made.parent)
