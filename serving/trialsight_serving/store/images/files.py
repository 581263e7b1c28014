"""Frames and maps, named by the sha256 of their content, so that a file never changes and is never stored twice."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from trialsight.errors import TrialsightError
from trialsight_serving.settings import Settings


@dataclass(frozen=True)
class StoredFile:
    sha256: str
    size: int
    changed_at: datetime


class ImageStore(Protocol):
    """Errors are OSError; FileNotFoundError where a file is gone."""

    def put(self, data: bytes, sha256: str) -> bool:
        """Durable when it returns, and nothing left behind where it fails. False: it was there already."""
        ...

    def get(self, sha256: str) -> bytes: ...

    def size(self, sha256: str) -> int | None:
        """None where it is gone."""
        ...

    def delete(self, sha256: str, before: datetime) -> int:
        """Bytes that were freed; 0 where the file is gone, or was written at `before` or later."""
        ...

    def files(self) -> Iterator[StoredFile]:
        """Everything that is stored, in any order."""
        ...

    def free_bytes(self) -> int | None:
        """How much more fits; None where nobody can say."""
        ...


def open_images(settings: Settings) -> ImageStore:
    """The folder in the home, or what `images_url` names. Raises TrialsightError for a URL that can't be."""
    from trialsight_serving.store.images.local import LocalImages

    url = settings.images_url
    if url is None:
        return LocalImages(settings.paths.images)
    if urlsplit(url).scheme not in ("s3", "s3a"):
        raise TrialsightError(f"images_url {url!r} is no S3 URL", "give s3://BUCKET/PREFIX, or leave it out")
    from trialsight_serving.store.images.s3 import S3Images

    return S3Images(url)


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
