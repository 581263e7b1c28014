"""Frames and maps in an S3 bucket, through obstore. Credentials and endpoint come from the AWS_* environment.

A PUT is durable when it returns. It asks for the name to be new (If-None-Match), so that a file is sent whole once.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from trialsight.errors import TrialsightError
from trialsight_serving.store.images import StoredFile

if TYPE_CHECKING:
    from obstore.store import ClientConfig


class S3Images:
    def __init__(self, url: str) -> None:
        """Raises TrialsightError where obstore is not installed or the URL can't be."""
        try:
            from obstore.exceptions import BaseError
            from obstore.store import S3Store
        except ModuleNotFoundError:
            raise TrialsightError("images on S3 need the library obstore", "pip install 'trialsight[s3]'") from None
        endpoint = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
        plain = endpoint.startswith("http://")  # whoever names an endpoint without TLS means it
        options: ClientConfig = {"timeout": "20s", "connect_timeout": "5s", "allow_http": plain}
        try:
            self._store = S3Store.from_url(url, client_options=options, retry_config={"max_retries": 2})
        except BaseError as error:
            raise TrialsightError(f"the image store {url} can't be opened: {error}", "see docs/operation.md") from error

    def put(self, data: bytes, sha256: str) -> bool:
        from obstore.exceptions import AlreadyExistsError

        try:
            with _os_errors():
                self._store.put(_key(sha256), data, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def get(self, sha256: str) -> bytes:
        with _os_errors():
            return bytes(self._store.get(_key(sha256)).bytes())

    def size(self, sha256: str) -> int | None:
        try:
            with _os_errors():
                return self._store.head(_key(sha256))["size"]
        except FileNotFoundError:
            return None

    def delete(self, sha256: str, before: datetime) -> int:
        try:
            with _os_errors():
                found = self._store.head(_key(sha256))
                if found["last_modified"] >= before:
                    return 0
                self._store.delete(_key(sha256))
        except FileNotFoundError:
            return 0
        return found["size"]

    def files(self) -> Iterator[StoredFile]:
        with _os_errors():
            for page in self._store.list():
                for found in page:
                    yield StoredFile(found["path"].rpartition("/")[2], found["size"], found["last_modified"])

    def free_bytes(self) -> int | None:
        return None


@contextmanager
def _os_errors() -> Iterator[None]:
    """obstore's errors as OSError, except for the one that `put` waits for."""
    from obstore.exceptions import AlreadyExistsError, BaseError

    try:
        yield
    except AlreadyExistsError:
        raise
    except BaseError as error:
        raise OSError(f"the image store does not answer as it should: {str(error).splitlines()[0]}") from error


def _key(sha256: str) -> str:
    """As older versions named them; a bucket has no folders."""
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
